/** A host's kernel as far as the overlay is concerned, in memory: holds state, reports differences, can be tampered with. */
import { isDeepStrictEqual } from 'node:util';
import type {
  ApplyReport,
  DemandCounter,
  DesiredOverlay,
  Overlay,
  OverlayPeer,
  OverlayPolicy,
  PeerStatus,
  TrafficCount,
} from '../../overlay/overlay-state.ts';
import { standbyHop } from '../../overlay/route/standby-hop.ts';
import type { HostPort } from '../../protocol/endpoint.ts';
import type { ThalwegError } from '../../protocol/error.ts';
import type { PublicKey } from '../../protocol/identifier.ts';

export class FakeOverlay implements Overlay {
  /** Null: nothing of ours is there. */
  base: string | null = null;
  readonly routes = new Map<string, string>();
  readonly peers = new Map<PublicKey, { peer: OverlayPeer; endpoint: HostPort | null }>();
  readonly handshakes = new Map<PublicKey, number>();
  demand: DemandCounter[] = [];
  policy: OverlayPolicy | null = null;
  denied: TrafficCount | null = null;
  underlay = ['192.0.2.10'];
  mtuBytes = 1500;
  /** Thrown by apply while set. */
  fault: ThalwegError | undefined;
  preflightFault: ThalwegError | undefined;
  /** When set, apply waits for it: to see what coalesces. */
  gate: Promise<void> | undefined;
  applies = 0;
  repairs = 0;
  lastDesired: DesiredOverlay | undefined;
  readonly #watchers = new Set<() => void>();

  get watchers(): number {
    return this.#watchers.size;
  }

  async preflight(): Promise<{ readonly wireguardBackend: 'kernel' | 'wireguard-go' }> {
    if (this.preflightFault !== undefined) throw this.preflightFault;
    return { wireguardBackend: 'wireguard-go' };
  }

  async takeKey(): Promise<void> {
    if (this.fault !== undefined) throw this.fault;
  }

  async apply(desired: DesiredOverlay): Promise<ApplyReport> {
    this.applies++;
    this.lastDesired = desired;
    await this.gate;
    if (this.fault !== undefined) throw this.fault;
    const changes: string[] = [];
    const base = JSON.stringify([desired.addresses, desired.listenPort, desired.tunnelMtuBytes, desired.transit]);
    if (base !== this.base) changes.push('link tw0');
    this.base = base;
    if (!isDeepStrictEqual(desired.policy, this.policy)) changes.push('nft table inet thalweg');
    this.policy = desired.policy;
    const wanted = new Map(desired.routes.map((r) => [`${r.table} ${r.prefix}`, JSON.stringify(r.nextHops)]));
    if (wanted.size !== desired.routes.length) throw new Error('two routes for one prefix in one table');
    for (const [key, hops] of wanted) {
      if (this.routes.get(key) === hops) continue;
      this.routes.set(key, hops);
      changes.push(`route replace ${key}`);
    }
    for (const key of [...this.routes.keys()]) {
      if (wanted.has(key)) continue;
      this.routes.delete(key);
      changes.push(`route del ${key}`);
    }
    const keys = new Set(desired.peers.map((p) => p.publicKey));
    for (const peer of desired.peers) {
      const held = this.peers.get(peer.publicKey);
      const endpoint = held?.endpoint == null || peer.forceEndpoint ? peer.endpoint : held.endpoint;
      if (held === undefined || JSON.stringify(held.endpoint) !== JSON.stringify(endpoint)) changes.push('peer set');
      this.peers.set(peer.publicKey, { peer, endpoint });
    }
    for (const key of [...this.peers.keys()]) {
      if (keys.has(key)) continue;
      this.peers.delete(key);
      changes.push('peer remove');
    }
    if (changes.length > 0) this.touched();
    return { changes };
  }

  async repair(down: ReadonlySet<string>): Promise<ApplyReport> {
    this.repairs++;
    const changes: string[] = [];
    for (const { table, prefix, standby } of this.lastDesired?.routes ?? []) {
      if (standby === undefined) continue;
      const hops = JSON.stringify([standbyHop(standby, (neighbour) => down.has(neighbour))]);
      if (this.routes.get(`${table} ${prefix}`) === hops) continue;
      this.routes.set(`${table} ${prefix}`, hops);
      changes.push(`nexthop replace ${prefix}`);
    }
    return { changes };
  }

  async peerStatus(): Promise<readonly PeerStatus[]> {
    return [...this.peers].map(([publicKey, { endpoint }]) => ({
      publicKey,
      endpoint,
      lastHandshakeAtMs: this.handshakes.get(publicKey) ?? null,
      receivedBytes: 1000,
      sentBytes: 2000,
    }));
  }

  async demandCounters(): Promise<readonly DemandCounter[]> {
    return this.demand;
  }

  async deniedTraffic(): Promise<TrafficCount | null> {
    return this.denied;
  }

  async underlayMtuBytes(): Promise<number> {
    return this.mtuBytes;
  }

  async underlayAddresses(): Promise<readonly string[]> {
    return this.underlay;
  }

  watch(onChange: () => void): { stop(): Promise<void> } {
    this.#watchers.add(onChange);
    return {
      stop: async () => {
        this.#watchers.delete(onChange);
      },
    };
  }

  async remove(): Promise<ApplyReport> {
    const changes = this.base === null ? [] : ['link del tw0'];
    this.base = null;
    this.routes.clear();
    this.peers.clear();
    return { changes };
  }

  /** Somebody changed the kernel: watchers hear of it. */
  touched(): void {
    for (const watcher of this.#watchers) watcher();
  }
}
