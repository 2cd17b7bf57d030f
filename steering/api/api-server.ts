/** The listeners of the HTTP API: a Unix socket with full rights, and TCP for looking only. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { ThalwegError } from '../../protocol/error.ts';
import { makeDirectory } from '../../protocol/make-directory.ts';
import { type ListenAddress, listen } from '../listen-address.ts';
import { PendingHandshakes } from '../session/pending-handshakes.ts';
import { type ApiDeps, type ApiRights, registerRoutes } from './api-routes.ts';

/** A token request is under 4 KiB of labels. */
const MAX_BODY_BYTES = 16 * 1024;
/** Connections over TCP, shared fairly by address: operators, dashboards and scrapers are tens. */
const MAX_TCP_CONNECTIONS = 512;
/** A connection that is this old goes first where all places are taken; whoever is cut off asks again. */
const FAIR_MS = 5000;

export interface ApiOptions {
  /** Null: no TCP listener. */
  readonly tcp: ListenAddress | null;
  readonly socketPath: string;
}

export class ApiServer {
  readonly #deps: ApiDeps;
  readonly #options: ApiOptions;
  readonly #apps: FastifyInstance[] = [];
  #ownsSocket = false;
  #port = 0;

  constructor(deps: ApiDeps, options: ApiOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The TCP port that was bound; 0 without TCP. */
  get port(): number {
    return this.#port;
  }

  /** Opens both listeners, or none. Throws port_in_use, invalid_config, missing_privilege. */
  async start(): Promise<void> {
    try {
      await this.#startSocket();
      if (this.#options.tcp !== null) {
        const app = await this.#makeApp('read');
        const places = new PendingHandshakes(this.#deps.clock, { most: MAX_TCP_CONNECTIONS, fairMs: FAIR_MS });
        app.server.on('connection', (socket: Socket) => void places.begin(socket));
        await listen(app.server, this.#options.tcp);
        const address = app.server.address();
        this.#port = typeof address === 'object' && address !== null ? address.port : 0;
      }
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
    if (this.#ownsSocket) rmSync(this.#options.socketPath, { force: true });
    this.#ownsSocket = false;
  }

  async #startSocket(): Promise<void> {
    const path = this.#options.socketPath;
    await clearStaleSocket(path);
    const app = await this.#makeApp('full');
    try {
      makeDirectory(dirname(path), 0o755);
      await listenOnPath(app, path);
      this.#ownsSocket = true;
      chmodSync(path, 0o600);
    } catch (cause) {
      throw socketError(path, cause);
    }
  }

  async #makeApp(rights: ApiRights): Promise<FastifyInstance> {
    const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, requestTimeout: 10_000 });
    registerRoutes(app, this.#deps, rights);
    this.#apps.push(app);
    await app.ready();
    return app;
  }
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
