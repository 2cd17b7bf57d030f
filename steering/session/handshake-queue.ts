/**
 * New connections: so many are in the middle of TLS, more wait for their turn, and beyond those they are closed at once. When a core
 * comes back, thousands of agents are there within a second: whoever waits a few seconds here need not back off for half a
 * minute. A connection that waits is a descriptor and some 2 KB; nothing is read from it.
 */
import { PendingHandshakes, type PendingSocket } from './pending-handshakes.ts';

export interface HandshakeQueueDeps {
  readonly monoMs: () => number;
  /** TLS begins on the connection. */
  readonly start: (socket: PendingSocket) => void;
}

export interface HandshakeQueueOptions {
  /** In the middle of TLS at a time. */
  readonly most: number;
  readonly mostWaiting: number;
  /** As PendingOptions. */
  readonly fairMs: number;
}

export class HandshakeQueue {
  readonly #start: (socket: PendingSocket) => void;
  readonly #running: PendingHandshakes;
  readonly #waiting: PendingHandshakes;

  constructor({ monoMs, start }: HandshakeQueueDeps, { most, mostWaiting, fairMs }: HandshakeQueueOptions) {
    this.#start = start;
    this.#running = new PendingHandshakes({ monoMs }, { most, fairMs });
    this.#waiting = new PendingHandshakes({ monoMs }, { most: mostWaiting, fairMs: Number.POSITIVE_INFINITY });
  }

  /** A new connection, of which nothing is read yet; false: it was closed, because there is no place. */
  connected(socket: PendingSocket): boolean {
    if (!this.#begin(socket)) return this.#waiting.begin(socket);
    return true;
  }

  /** The handshake on the connection from there is over, well or badly: the next one may begin. */
  over(remoteAddress: string | undefined, remotePort: number | undefined): void {
    this.#running.over(remoteAddress, remotePort);
    this.#next();
  }

  /** Closes all. */
  clear(): void {
    this.#waiting.clear();
    this.#running.clear();
  }

  #begin(socket: PendingSocket): boolean {
    if (!this.#running.tryBegin(socket)) return false;
    socket.once('close', () => this.#next());
    this.#start(socket);
    return true;
  }

  #next(): void {
    while (this.#running.hasPlace) {
      const socket = this.#waiting.take();
      if (socket === undefined) return;
      if (!socket.destroyed) this.#begin(socket);
    }
  }
}
