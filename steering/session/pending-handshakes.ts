/**
 * Connections that are nobody's yet, bounded in number: those in the middle of TLS, and those behind it that have no
 * session. Whoever opens many and never speaks takes places from himself, not from others: where all are taken, the address
 * that holds most of them loses its oldest to one that holds fewer, and what had its time loses its place to anybody.
 * Within one address newcomers wait: when a site of a thousand devices comes back, those that began first get through.
 *
 * An IPv6 site is its /64: whoever has one address of it has all.
 */

/** What is asked of a TCP socket. */
export interface PendingSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly destroyed: boolean;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export interface PendingOptions {
  /** Places. */
  readonly most: number;
  /** After this long a connection loses its place to a newcomer of any address. */
  readonly fairMs: number;
}

interface Place {
  readonly site: string;
  readonly sinceMonoMs: number;
}

export class PendingHandshakes {
  readonly #monoMs: () => number;
  readonly #options: PendingOptions;
  /** Site -> its sockets, oldest first. */
  readonly #bySite = new Map<string, Set<PendingSocket>>();
  /** Oldest first. */
  readonly #places = new Map<PendingSocket, Place>();

  constructor(deps: { readonly monoMs: () => number }, options: PendingOptions) {
    this.#monoMs = deps.monoMs;
    this.#options = options;
  }

  get size(): number {
    return this.#places.size;
  }

  /** One more is taken in without anybody losing his place. */
  get hasPlace(): boolean {
    return this.size < this.#options.most;
  }

  /** Takes a new connection in; false: it was closed, because there is no place. */
  begin(socket: PendingSocket): boolean {
    const isIn = this.tryBegin(socket);
    if (!isIn) socket.destroy();
    return isIn;
  }

  /** As `begin`; a connection for which there is no place stays open. */
  tryBegin(socket: PendingSocket): boolean {
    const site = siteOf(socket.remoteAddress);
    if (this.size >= this.#options.most && !this.#makePlace(site)) return false;
    const sockets = this.#bySite.get(site) ?? new Set();
    this.#bySite.set(site, sockets.add(socket));
    this.#places.set(socket, { site, sinceMonoMs: this.#monoMs() });
    socket.once('close', () => this.end(socket));
    return true;
  }

  /** The handshake on the connection from there is over, well or badly. A TLS socket and the one below it share both. */
  over(remoteAddress: string | undefined, remotePort: number | undefined): void {
    for (const socket of this.#bySite.get(siteOf(remoteAddress)) ?? []) {
      const isIt = socket.remotePort === remotePort && socket.remoteAddress === remoteAddress;
      if (socket.destroyed || isIt) this.end(socket);
    }
  }

  /** The connection has become somebody's, or is gone. Idempotent. */
  end(socket: PendingSocket): void {
    const place = this.#places.get(socket);
    if (place === undefined) return;
    this.#places.delete(socket);
    const sockets = this.#bySite.get(place.site);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#bySite.delete(place.site);
  }

  /** Takes out a connection whose turn it is: the oldest of an address, each address in turn. */
  take(): PendingSocket | undefined {
    const [site] = this.#bySite;
    const [socket] = site?.[1] ?? [];
    if (site === undefined || socket === undefined) return undefined;
    this.end(socket);
    // its other connections come after everybody else's
    if (this.#bySite.delete(site[0])) this.#bySite.set(...site);
    return socket;
  }

  /** Closes all. */
  clear(): void {
    for (const socket of [...this.#places.keys()]) socket.destroy();
  }

  #makePlace(newcomer: string): boolean {
    const own = this.#bySite.get(newcomer)?.size ?? 0;
    let crowd: ReadonlySet<PendingSocket> | undefined;
    for (const [site, sockets] of this.#bySite) {
      if (site !== newcomer && sockets.size > (crowd?.size ?? own + 1)) crowd = sockets;
    }
    const [victim] = crowd ?? this.#hadTheirTime();
    if (victim === undefined) return false;
    this.end(victim);
    victim.destroy();
    return true;
  }

  #hadTheirTime(): readonly PendingSocket[] {
    const [oldest] = this.#places;
    if (oldest === undefined) return [];
    const [socket, { sinceMonoMs }] = oldest;
    return this.#monoMs() - sinceMonoMs >= this.#options.fairMs ? [socket] : [];
  }
}

/** The address, or the first four groups of an IPv6 one, as the kernel writes it. */
function siteOf(address = ''): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/, '');
  if (!bare.includes(':')) return bare;
  const [head = ''] = bare.split('::', 1);
  return `${head.split(':').slice(0, 4).join(':')}/64`;
}
