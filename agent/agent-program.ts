/** `thalweg agent`: the ports of MeshAgent bound to this host, with the lock, the metrics server and one place that ends it. */
import { randomBytes } from 'node:crypto';
import { KernelOverlay } from '../overlay/kernel-overlay.ts';
import { WorkerProber } from '../overlay/stamp/worker-prober.ts';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { Logger } from '../protocol/log.ts';
import { type AgentConfig, configuredRate } from './agent-config.ts';
import { LEAVE_SIGNAL, lockStateDir } from './agent-lock.ts';
import { ensurePrivateDirectory, readSmallFile } from './atomic-file.ts';
import { openCoreStream } from './core-stream.ts';
import { IdentityStore } from './identity.ts';
import { MeshAgent } from './mesh-agent.ts';
import { AgentMetrics } from './metrics.ts';
import { MetricsServer } from './metrics-server.ts';
import { takePlaceAmongPrograms } from './scheduling.ts';
import { wireGuardPublicKey } from './wireguard-key.ts';

export { type AgentConfig, agentConfigSchema } from './agent-config.ts';

export interface RunningAgentProgram {
  /** Says goodbye and ends; the kernel goes on forwarding. Idempotent. */
  stop(): Promise<void>;
  /** Resolves after `stop`; rejects with ThalwegError on a refusal that needs a human, everything being stopped by then. */
  readonly ended: Promise<void>;
}

/** Keeps the process alive while the agent waits for the core: its own timers do not. */
const KEEP_ALIVE_MS = 3_600_000;

/** Throws ThalwegError: not_joined, conflict, missing_*, port_in_use, address_range_collision, storage_failed and the like. */
export async function runAgent(config: AgentConfig, { log }: { readonly log: Logger }): Promise<RunningAgentProgram> {
  takePlaceAmongPrograms(config.niceness, { log });
  const identityStore = new IdentityStore(config.stateDir);
  const identity = await identityStore.loadJoined();
  await ensurePrivateDirectory(config.stateDir);
  const publicKey = await ownPublicKey(identityStore);
  // Whoever finds the lock may send the signal: it is listened to before, and answered once the agent runs.
  const asked = new Promise<void>((resolve) => {
    process.on(LEAVE_SIGNAL, () => resolve());
  });
  const unlock = await lockStateDir(config.stateDir);
  const metrics = new AgentMetrics();
  const keepAlive = setInterval(() => {}, KEEP_ALIVE_MS);
  const agent = new MeshAgent(
    {
      clock: systemClock,
      log,
      overlay: KernelOverlay.open(
        { stateDir: config.stateDir, privateKeyFile: identityStore.path('wireguard.key') },
        { log },
      ),
      createProber: () => new WorkerProber({ log }, { allowedRange: identity.addressPlan.tunnel }),
      open: openCoreStream,
      random: Math.random,
      instanceId: new Uint8Array(randomBytes(16)),
      identityStore,
      metrics,
    },
    {
      identity,
      publicKey,
      listenPort: config.listenPort,
      transit: config.transit,
      leafCapacity: config.leafCapacity,
      uplinkBps: configuredRate(config.uplink),
      downlinkBps: configuredRate(config.downlink),
      stampPort: config.stampPort,
      detection: {
        guard: config.detect,
        packetsPerSecond: config.probePacketsPerSecond,
        processorShare: config.probeCpuPercent / 100,
      },
      reconcileIntervalMs: config.reconcileIntervalMs,
      keyLifetimeMs: config.keyLifetimeDays * 86_400_000,
    },
  );
  const server =
    config.metrics === 'none'
      ? undefined
      : new MetricsServer(
          { metrics: () => metrics.registry.metrics(), health: () => agent.health() },
          { listen: config.metrics },
        );
  const release = async (): Promise<void> => {
    clearInterval(keepAlive);
    await server?.stop();
    await unlock();
  };
  try {
    // The port before the kernel: a configuration that cannot work changes nothing.
    await server?.start();
    await agent.start();
  } catch (cause) {
    await release();
    throw cause;
  }
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= agent.stop().then(release);
    return stopping;
  };
  const left = asked.then(() => agent.leave());
  const ended = Promise.race([agent.ended, left]).finally(stop);
  ended.catch(() => {});
  return { stop, ended };
}

async function ownPublicKey(store: IdentityStore) {
  const bytes = await readSmallFile(store.path('wireguard.key'), 1024);
  if (bytes !== undefined) return wireGuardPublicKey(bytes.toString('utf8'));
  throw new ThalwegError('not_joined', `${store.path('wireguard.key')} is missing`, {
    fields: { path: store.path('wireguard.key') },
    nextStep: 'run `thalweg agent down --forget` and join again with a new token',
  });
}
