/** How a core reaches NATS: servers, credentials from a file, TLS; and the names of what it keeps there. */
import { readFileSync } from 'node:fs';
import { credsAuthenticator, type NodeConnectionOptions, nkeyAuthenticator } from '@nats-io/transport-node';
import { ThalwegError } from '../../../protocol/error.ts';

export interface NatsSettings {
  /** `nats://host:port` or `tls://host:port`, at least one. */
  readonly servers: readonly string[];
  /** Copies of every message. */
  readonly replicas: number;
  /** Names the mesh in subjects and streams. */
  readonly mesh: string;
  /** Part of the mesh whose nodes these cores look after. */
  readonly region: string;
  /** A file with a NATS user's JWT and seed, an nkey seed, or `user:password`. */
  readonly credentialsFile: string | null;
  /** PEM of the CA that signed the servers' certificates; null: those that Node.js trusts. */
  readonly caFile: string | null;
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
  /** Speak without TLS to hosts other than this one. */
  readonly allowPlain: boolean;
}

const PLAIN = 'nats:';
const SCHEMES = [PLAIN, 'tls:'];
/** A name that is one token of a subject and may be part of a stream's name. */
const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** Subjects begin with this: `thalweg.<mesh>.<region>`. Regions never share a subject, so each may have its own servers. */
export function subjectPrefix({ mesh, region }: Pick<NatsSettings, 'mesh' | 'region'>): string {
  return `thalweg.${mesh}.${region}`;
}

/** Streams begin with this. */
export function streamPrefix({ mesh, region }: Pick<NatsSettings, 'mesh' | 'region'>): string {
  return `thalweg-${mesh}-${region}`;
}

/** Throws invalid_config, naming the setting. Reads no file. */
export function checkNatsSettings(settings: NatsSettings): void {
  for (const [name, value] of Object.entries({ mesh: settings.mesh, region: settings.region })) {
    if (!NAME.test(value)) throw invalid(`nats.${name} ${JSON.stringify(value)} is not 1 to 32 of a-z, 0-9 and -`);
  }
  if (settings.servers.length === 0) throw invalid('no NATS server is named');
  for (const server of settings.servers) {
    const url = URL.canParse(server) ? new URL(server) : undefined;
    if (url === undefined || !SCHEMES.includes(url.protocol) || url.hostname === '') {
      throw invalid(`${JSON.stringify(server)} is not nats://host:port or tls://host:port`);
    }
    if (url.username !== '' || url.password !== '') {
      throw invalid(
        `the address of ${url.host} holds credentials`,
        'put them into a file and name it with --nats-credentials',
      );
    }
    if (url.protocol === PLAIN && !usesTls(settings) && !settings.allowPlain && !isLoopback(url.hostname)) {
      throw invalid(
        `${server} would be spoken to without TLS, and it is not this host`,
        'use tls://, or say --nats-allow-plain where another layer encrypts',
      );
    }
  }
}

/** Options of the client. Throws invalid_config when a file cannot be used. */
export function connectionOptions(settings: NatsSettings): NodeConnectionOptions {
  checkNatsSettings(settings);
  const { caFile, certificateFile, keyFile, servers } = settings;
  const tls = {
    ...(caFile === null ? {} : { ca: read('nats.caFile', caFile) }),
    ...(certificateFile === null ? {} : { cert: read('nats.certificateFile', certificateFile) }),
    ...(keyFile === null ? {} : { key: read('nats.keyFile', keyFile) }),
    // an empty object asks for TLS as well
  };
  return {
    servers: servers.map((server) => new URL(server).host),
    ...(usesTls(settings) ? { tls } : {}),
    ...authentication(settings.credentialsFile),
  };
}

function usesTls({ caFile, certificateFile, servers }: NatsSettings): boolean {
  return caFile !== null || certificateFile !== null || servers.some((server) => server.startsWith('tls:'));
}

function authentication(path: string | null): Partial<NodeConnectionOptions> {
  if (path === null) return {};
  const text = read('nats.credentialsFile', path);
  const line = text.trim();
  if (text.includes('BEGIN NATS USER JWT'))
    return { authenticator: credsAuthenticator(new TextEncoder().encode(text)) };
  if (/^SU[A-Z2-7]{56}$/.test(line)) return { authenticator: nkeyAuthenticator(new TextEncoder().encode(line)) };
  const colon = line.indexOf(':');
  if (colon > 0 && !line.includes('\n')) return { user: line.slice(0, colon), pass: line.slice(colon + 1) };
  throw invalid(`nats.credentialsFile ${path} holds neither a NATS .creds file, an nkey seed, nor user:password`);
}

function read(field: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as { code?: unknown }).code;
    throw new ThalwegError('invalid_config', `${field} ${path} cannot be read: ${String(code ?? cause)}`, {
      cause,
      nextStep: 'name a file that this user may read',
    });
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function invalid(message: string, nextStep = 'correct the setting'): ThalwegError {
  return new ThalwegError('invalid_config', message, { nextStep });
}
