/** A peer as the agent holds it, and the set of them that the core's PeerUpdate messages change. */
import { addressFromBytes, type HostPort } from '../protocol/endpoint.ts';
import type { Parsed } from '../protocol/error.ts';
import type { Peer, PeerUpdate } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { type NodeIndex, type PublicKey, parseNodeIndex, publicKeyFromBytes } from '../protocol/identifier.ts';

export interface MeshPeer {
  readonly index: NodeIndex;
  readonly name: string;
  readonly publicKey: PublicKey;
  /** Candidates, best first. */
  readonly endpoints: readonly HostPort[];
  readonly stampPort: number;
  /** It hangs off this node, or may come to. */
  readonly leaf: boolean;
  /** It may forward packets of others. */
  readonly transit: boolean;
}

/** STAMP's port (RFC 8762 section 4.1), where a peer names none. */
const DEFAULT_STAMP_PORT = 862;

/** Never throws; endpoints that are no addresses are left out. */
export function peerFromMessage(message: Peer): Parsed<MeshPeer> {
  const index = parseNodeIndex(message.index);
  if (!index.ok) return index;
  const publicKey = publicKeyFromBytes(message.publicKey);
  if (!publicKey.ok) return publicKey;
  const endpoints: HostPort[] = [];
  for (const { address, port } of message.endpoints) {
    const parsed = addressFromBytes(address);
    if (parsed.ok && port >= 1 && port <= 65_535) endpoints.push({ address: parsed.value, port });
  }
  const stampPort = message.stampPort >= 1 && message.stampPort <= 65_535 ? message.stampPort : DEFAULT_STAMP_PORT;
  return {
    ok: true,
    value: {
      index: index.value,
      name: message.name.slice(0, 63),
      publicKey: publicKey.value,
      endpoints,
      stampPort,
      leaf: message.leaf,
      transit: message.transit,
    },
  };
}

/**
 * Peers by index; never this node itself, and no key twice (WireGuard would silently give both peers' prefixes to one).
 * Mutable; owned by the agent.
 */
export class PeerSet {
  readonly #ownIndex: number;
  readonly #peers = new Map<number, MeshPeer>();
  readonly #indexByKey = new Map<PublicKey, number>();

  constructor(ownIndex: number) {
    this.#ownIndex = ownIndex;
  }

  get size(): number {
    return this.#peers.size;
  }

  get(index: number): MeshPeer | undefined {
    return this.#peers.get(index);
  }

  /** In the order of their index. */
  list(): MeshPeer[] {
    return [...this.#peers.values()].sort((a, b) => a.index - b.index);
  }

  /** Returns how many entries were refused: malformed, or this node itself. */
  update(update: Pick<PeerUpdate, 'full' | 'set' | 'remove'>): number {
    let refused = 0;
    if (update.full) {
      this.#peers.clear();
      this.#indexByKey.clear();
    }
    for (const index of update.remove) this.#delete(index);
    for (const message of update.set) {
      const parsed = peerFromMessage(message);
      if (parsed.ok && this.add(parsed.value)) continue;
      refused++;
    }
    return refused;
  }

  /** False for this node itself. A peer with the same index or key is replaced. */
  add(peer: MeshPeer): boolean {
    if (peer.index === this.#ownIndex) return false;
    this.#delete(peer.index);
    const holder = this.#indexByKey.get(peer.publicKey);
    if (holder !== undefined) this.#delete(holder);
    this.#peers.set(peer.index, peer);
    this.#indexByKey.set(peer.publicKey, peer.index);
    return true;
  }

  #delete(index: number): void {
    const peer = this.#peers.get(index);
    if (peer === undefined) return;
    this.#peers.delete(index);
    this.#indexByKey.delete(peer.publicKey);
  }
}
