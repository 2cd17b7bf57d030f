/**
 * Connections that are in the middle of TLS, bounded in number. Whoever opens many and never speaks takes places from
 * himself, not from others: where all are taken, an address that holds more than half of them loses one to another address.
 * Within one address newcomers wait: when a site of a thousand devices comes back, those that began first get through.
 */

/** What is asked of a TCP socket. */
export interface PendingSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly destroyed: boolean;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export class PendingHandshakes {
  readonly #most: number;
  /** Remote address -> its sockets, oldest first. */
  readonly #byAddress = new Map<string, Set<PendingSocket>>();
  #size = 0;

  /** `most`: at the same time. */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a new connection in; false: it was closed, because there is no place. */
  begin(socket: PendingSocket): boolean {
    const address = socket.remoteAddress ?? '';
    if (this.#size >= this.#most && !this.#makePlace(address)) {
      socket.destroy();
      return false;
    }
    const sockets = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, sockets.add(socket));
    this.#size++;
    socket.once('close', () => this.#end(address, socket));
    return true;
  }

  /** The handshake on the connection from there is over, well or badly. A TLS socket and the one below it share both. */
  over(remoteAddress: string | undefined, remotePort: number | undefined): void {
    const address = remoteAddress ?? '';
    for (const socket of this.#byAddress.get(address) ?? []) {
      if (socket.destroyed || socket.remotePort === remotePort) this.#end(address, socket);
    }
  }

  /** Closes all. */
  clear(): void {
    for (const sockets of [...this.#byAddress.values()]) for (const socket of [...sockets]) socket.destroy();
  }

  #makePlace(newcomer: string): boolean {
    for (const [address, sockets] of this.#byAddress) {
      if (address === newcomer || sockets.size <= this.#most / 2) continue;
      const [oldest] = sockets;
      if (oldest === undefined) continue;
      this.#end(address, oldest);
      oldest.destroy();
      return true;
    }
    return false;
  }

  #end(address: string, socket: PendingSocket): void {
    const sockets = this.#byAddress.get(address);
    if (sockets?.delete(socket) !== true) return;
    this.#size--;
    if (sockets.size === 0) this.#byAddress.delete(address);
  }
}
