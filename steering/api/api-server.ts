/** The listeners of the HTTP API: a Unix socket with full rights, and TCP, where API keys have roles. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { ThalwegError } from '../../protocol/error.ts';
import { makeDirectory } from '../../protocol/make-directory.ts';
import { isLoopback, type ListenAddress, listen } from '../listen-address.ts';
import { PendingHandshakes } from '../session/pending-handshakes.ts';
import type { ApiListener } from './api-access.ts';
import { ApiCertificate, type CertificateFiles } from './api-certificate.ts';
import { type ApiDeps, registerRoutes } from './api-routes.ts';
import { FAILURES_PER_MINUTE, RequestLimits } from './request-limits.ts';

/** A token request is under 4 KiB of labels. */
const MAX_BODY_BYTES = 16 * 1024;
/** A whole request; a connection on which nothing happens; one that waits for its next request. */
const REQUEST_MS = 10_000;
const SILENT_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
const HANDSHAKE_MS = 10_000;
/**
 * Connections over TCP, shared fairly by address: operators, dashboards and scrapers are tens. With TLS one is about
 * 50 KB. The local socket is not counted, so there is always a way in.
 */
const MAX_TCP_CONNECTIONS = 512;
/** A connection that is this old goes first where all places are taken; whoever is cut off asks again. */
const FAIR_MS = 5000;

export interface ApiOptions {
  /** Null: no TCP listener. */
  readonly tcp: ListenAddress | null;
  /** Null: plain HTTP, on loopback alone. */
  readonly tls: CertificateFiles | null;
  /** This host's processes may look over loopback without a key. */
  readonly keyless: boolean;
  /** Of one API key, and of one address without, over TCP. */
  readonly requestsPerMinute: number;
  readonly socketPath: string;
}

export class ApiServer {
  readonly #deps: ApiDeps;
  readonly #options: ApiOptions;
  readonly #apps: FastifyInstance[] = [];
  #certificate: ApiCertificate | undefined;
  #ownsSocket = false;
  #port = 0;

  constructor(deps: ApiDeps, options: ApiOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** When the certificate of the TCP listener expires, milliseconds since 1970; undefined without TLS. */
  get certificateExpiresAtMs(): number | undefined {
    return this.#certificate?.expiresAtMs;
  }

  /** The TCP port that was bound; 0 without TCP. */
  get port(): number {
    return this.#port;
  }

  /** Opens both listeners, or none. Throws port_in_use, invalid_config, missing_privilege. */
  async start(): Promise<void> {
    try {
      await this.#startSocket();
      if (this.#options.tcp !== null) await this.#startTcp(this.#options.tcp);
    } catch (cause) {
      await this.stop();
      throw cause;
    }
    this.#deps.log.info('api is open', { socket: this.#options.socketPath, port: this.#port });
  }

  /** Idempotent; leaves no socket file. */
  async stop(): Promise<void> {
    const apps = this.#apps.splice(0);
    await Promise.all(
      apps.map(async (app) => {
        app.server.closeAllConnections();
        if (app.server.listening) await new Promise((resolve) => app.server.close(resolve));
        await app.close();
      }),
    );
    this.#certificate?.stop();
    if (this.#ownsSocket) rmSync(this.#options.socketPath, { force: true });
    this.#ownsSocket = false;
  }

  async #startTcp(address: ListenAddress): Promise<void> {
    const { tls, keyless } = this.#options;
    const loopback = isLoopback(address.host);
    if (tls === null && !loopback) throw clearTextRefusal(address);
    if (tls !== null) this.#certificate = new ApiCertificate(this.#deps, tls);
    const app = await this.#makeApp({ kind: 'tcp', keylessReading: loopback && keyless }, this.#certificate);
    const places = new PendingHandshakes(
      { monoMs: () => this.#deps.clock.monoMs() },
      { most: MAX_TCP_CONNECTIONS, fairMs: FAIR_MS },
    );
    app.server.on('connection', (socket: Socket) => void places.begin(socket));
    await listen(app.server, address);
    const bound = app.server.address();
    this.#port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  async #startSocket(): Promise<void> {
    const path = this.#options.socketPath;
    await clearStaleSocket(path);
    const app = await this.#makeApp({ kind: 'socket' });
    try {
      makeDirectory(dirname(path), 0o755);
      await listenOnPath(app, path);
      this.#ownsSocket = true;
      chmodSync(path, 0o600);
    } catch (cause) {
      throw socketError(path, cause);
    }
  }

  async #makeApp(listener: ApiListener, certificate?: ApiCertificate): Promise<FastifyInstance> {
    const app = fastify({
      bodyLimit: MAX_BODY_BYTES,
      forceCloseConnections: true,
      serverFactory: (handler) => {
        if (certificate === undefined) return bounded(createServer(handler));
        const server = createSecureServer({ ...certificate.options, handshakeTimeout: HANDSHAKE_MS }, handler);
        certificate.watch((options) => server.setSecureContext(options));
        return bounded(server);
      },
    });
    const { requestsPerMinute } = this.#options;
    const limits =
      listener.kind === 'socket'
        ? null
        : await RequestLimits.make(app, this.#deps.log, { requestsPerMinute, failuresPerMinute: FAILURES_PER_MINUTE });
    registerRoutes(app, this.#deps, listener, limits);
    this.#apps.push(app);
    await app.ready();
    return app;
  }
}

function bounded<S extends Server>(server: S): S {
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.setTimeout(SILENT_MS);
  return server;
}

function clearTextRefusal({ field, host, port }: ListenAddress): ThalwegError {
  return new ThalwegError(
    'invalid_config',
    `${field} ${host}:${port} is not loopback: without TLS, API keys would cross the network in clear`,
    {
      fields: { field, host, port },
      nextStep: `pass --api-tls-cert and --api-tls-key, or keep --${field} on loopback behind a proxy on this host`,
    },
  );
}

/** Binds with a umask that lets nobody else in between binding and chmod; binding a path is synchronous. */
async function listenOnPath(app: FastifyInstance, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    app.server.once('error', reject);
    app.server.once('listening', () => {
      app.server.off('error', reject);
      resolve();
    });
    const before = process.umask(0o177);
    try {
      app.server.listen({ path });
    } finally {
      process.umask(before);
    }
  });
}

/** Removes the socket a killed core left; throws port_in_use when a program answers there. */
async function clearStaleSocket(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (file === undefined) return;
  if (!file.isSocket()) {
    throw new ThalwegError('invalid_config', `apiSocket ${path} exists and is not a socket`, {
      fields: { apiSocket: path },
      nextStep: 'choose another path with --api-socket',
    });
  }
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once('error', resolve);
  });
  if (failure === undefined) {
    throw new ThalwegError('port_in_use', `apiSocket ${path} is served by another program`, {
      fields: { apiSocket: path },
      nextStep: 'stop the other core, or choose another path with --api-socket',
    });
  }
  // Not allowed even to ask: another user's core may well be there.
  if (failure.code === 'EACCES' || failure.code === 'EPERM') throw socketError(path, failure);
  rmSync(path, { force: true });
}

function socketError(path: string, cause: unknown): ThalwegError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const denied = code === 'EACCES' || code === 'EPERM';
  return new ThalwegError(
    denied ? 'missing_privilege' : 'invalid_config',
    `apiSocket ${path} cannot be made: ${message}`,
    {
      cause,
      fields: { apiSocket: path },
      nextStep: denied
        ? 'run as root, or choose a path you may write with --api-socket'
        : 'choose another --api-socket',
    },
  );
}
