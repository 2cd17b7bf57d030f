/** A loopback TCP port onto the core's API of a lab: reading only, since any program of the machine can reach it. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the core answers on its local socket alone. */
const LOCAL_ONLY = /^\/v1\/tokens(\/|\?|$)/;

export class ApiGateway {
  readonly #server: Server;
  #socketPath: string | null = null;

  constructor() {
    this.#server = createServer((incoming, outgoing) => {
      const refuse = (status: number, code: string, message: string) => {
        outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, message }));
      };
      const path = incoming.url ?? '/';
      // A browser page of elsewhere that was pointed at this port by name (DNS rebinding) is not let in.
      const host = (incoming.headers.host ?? '').replace(/:\d+$/, '');
      if (!['127.0.0.1', 'localhost', '[::1]'].includes(host)) return refuse(403, 'unauthorized', 'not this host');
      if (incoming.method !== 'GET' || LOCAL_ONLY.test(path))
        return refuse(403, 'unauthorized', 'this port only reads');
      if (this.#socketPath === null) return refuse(503, 'unreachable', 'no lab is up at the moment');
      const call = request({ socketPath: this.#socketPath, path, method: 'GET' }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      call.on('error', () => {
        if (outgoing.headersSent) outgoing.destroy();
        else refuse(503, 'unreachable', 'the core does not answer');
      });
      outgoing.on('close', () => call.destroy());
      call.end();
    });
  }

  /** Returns `http://127.0.0.1:PORT`; the kernel chooses a free port. */
  async start(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests go to this core from now on: `unix:/path`, or null: to none. */
  point(target: string | null): void {
    this.#socketPath = target === null ? null : target.slice('unix:'.length);
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
