/** GET /metrics and /healthz on one address. Plain node:http: a framework would cost the device more than it saves us. */
import { createServer, type Server } from 'node:http';
import type { HealthView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { errnoOf } from './atomic-file.ts';
import { splitAddress } from './core-request.ts';

export interface MetricsServerDeps {
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
  readonly health: () => HealthView;
}

export interface MetricsServerOptions {
  /** `address:port`. Port 0: any free one. */
  readonly listen: string;
}

export class MetricsServer {
  readonly #deps: MetricsServerDeps;
  readonly #options: MetricsServerOptions;
  #server: Server | undefined;

  constructor(deps: MetricsServerDeps, options: MetricsServerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The port listened on; 0 before `start`. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Throws ThalwegError `port_in_use` or `invalid_config`, naming the field `metrics`. */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const { listen } = this.#options;
    const { host, port } = splitAddress(listen);
    const server = createServer((request, response) => {
      const answer = (status: number, type: string, body: string): void => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(request.method === 'HEAD' ? undefined : body);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'GET only\n');
      else if (request.url === '/metrics') {
        this.#deps.metrics().then(
          (text) => answer(200, 'text/plain; version=0.0.4; charset=utf-8', text),
          () => answer(500, 'text/plain', 'metrics cannot be collected\n'),
        );
      } else if (request.url === '/healthz') {
        const health = this.#deps.health();
        answer(health.ok ? 200 : 503, 'application/json', `${JSON.stringify(health)}\n`);
      } else answer(404, 'text/plain', 'see /metrics and /healthz\n');
    });
    // Scrapers come every few seconds with one short request: nothing may sit on a socket.
    server.requestTimeout = 5000;
    server.keepAliveTimeout = 15_000;
    server.maxConnections = 16;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(listenError(listen, cause)));
      server.listen({ host, port }, resolve);
    });
    this.#server = server;
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }
}

function listenError(listen: string, cause: unknown): ThalwegError {
  const errno = errnoOf(cause) ?? 'unknown';
  if (errno === 'EADDRINUSE') {
    return new ThalwegError('port_in_use', `metrics: another program listens on ${listen}`, {
      cause,
      fields: { field: 'metrics', listen },
      nextStep: 'choose another address with --metrics, or `--metrics none`',
    });
  }
  return new ThalwegError('invalid_config', `metrics: cannot listen on ${listen}: ${errno}`, {
    cause,
    fields: { field: 'metrics', listen },
    nextStep: 'give an address of this host and a port with --metrics, or `--metrics none`',
  });
}
