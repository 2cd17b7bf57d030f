/** The store that the configuration names. */
import { ThalwegError } from '../../protocol/error.ts';
import type { CoreConfig } from '../core-config.ts';
import type { NatsSettings } from './nats/nats-settings.ts';
import { NatsStore, type NatsStoreDeps } from './nats/nats-store.ts';
import { SqliteStore } from './sqlite-store.ts';

const CA_SETTING = 'ca_fingerprint';

/** Throws invalid_config, conflict, storage_failed, unreachable. */
export function openStore(deps: NatsStoreDeps, config: CoreConfig, worker?: URL): SqliteStore {
  const { stateDir, store } = config;
  if (!store.includes('sqlite'))
    return NatsStore.open(deps, {
      stateDir,
      settings: natsSettings(config),
      ...(worker === undefined ? {} : { worker }),
    });
  if (store.length === 1) return new SqliteStore(deps, { stateDir });
  throw new ThalwegError('invalid_config', `store ${store.join(', ')}: either sqlite or NATS servers`, {
    nextStep: 'name the one that this core is to use',
  });
}

export function natsSettings({ store, nats }: Pick<CoreConfig, 'store' | 'nats'>): NatsSettings {
  const { mesh, region, replicas, credentials, ca, certificate, key, allowPlain } = nats;
  return {
    servers: store,
    replicas: replicas > 0 ? replicas : store.length >= 3 ? 3 : 1,
    mesh,
    region,
    credentialsFile: credentials ?? null,
    caFile: ca ?? null,
    certificateFile: certificate ?? null,
    keyFile: key ?? null,
    allowPlain,
  };
}

/**
 * All cores of a mesh sign with one CA, whose key never goes into NATS. Throws invalid_config for a core that has made one of
 * its own: nobody would believe it.
 */
export function checkAuthority(store: SqliteStore, fingerprint: string, stateDir: string): void {
  if (!(store instanceof NatsStore)) return;
  const known = store.setting(CA_SETTING);
  if (known === fingerprint) return;
  if (known === undefined) {
    store.setSetting(CA_SETTING, fingerprint);
    return;
  }
  throw new ThalwegError('invalid_config', `the CA in stateDir ${stateDir} is not the CA of this mesh`, {
    fields: { here: fingerprint, mesh: known },
    nextStep: `copy ca.key and ca.crt from the stateDir of another core of the mesh into ${stateDir}, mode 0600`,
  });
}
