/**
 * The one owner of WireGuard endpoints. Pure. Keeps what works; where no handshake succeeds, tries a peer's candidates
 * in turn. What works is a session whose last handshake is younger than 150 s: WireGuard renews a session in use
 * after 120 s and drops it after 180 s (REKEY_AFTER_TIME and REJECT_AFTER_TIME in its paper, section 6.1).
 */
import { type AddressPlan, parsePrefix, prefixesOverlap } from '../protocol/address-plan.ts';
import { formatEndpoint, type HostPort } from '../protocol/endpoint.ts';
import type { PublicKey } from '../protocol/identifier.ts';
import type { MeshPeer } from './mesh-peer.ts';

export const FRESH_HANDSHAKE_MS = 150_000;
/** WireGuard repeats an initiation every 5 s (REKEY_TIMEOUT): each candidate gets one at least. */
export const ROTATE_AFTER_MS = 5000;

export interface ChosenEndpoint {
  readonly endpoint: HostPort | null;
  readonly forceEndpoint: boolean;
}

/** Age of the last handshake in milliseconds, by key. Absent or null: never. */
export type HandshakeAges = ReadonlyMap<PublicKey, number | null>;

interface Attempt {
  readonly candidates: readonly HostPort[];
  readonly position: number;
  readonly sinceMonoMs: number;
  readonly fresh: boolean;
}

/** Mutable; owned by the agent. */
export class EndpointChoice {
  #attempts = new Map<PublicKey, Attempt>();

  /** True when something may have to be set in the device: an endpoint moved on, a session went stale or fresh. */
  step(
    peers: readonly MeshPeer[],
    handshakeAges: HandshakeAges,
    isUsable: (e: HostPort) => boolean,
    monoMs: number,
  ): boolean {
    const next = new Map<PublicKey, Attempt>();
    let changed = false;
    for (const peer of peers) {
      const candidates = peer.endpoints.filter(isUsable);
      const age = handshakeAges.get(peer.publicKey) ?? null;
      const before = this.#attempts.get(peer.publicKey);
      const attempt = nextAttempt(before, candidates, age !== null && age < FRESH_HANDSHAKE_MS, monoMs);
      changed ||= attempt !== before;
      next.set(peer.publicKey, attempt);
    }
    changed ||= next.size !== this.#attempts.size;
    this.#attempts = next;
    return changed;
  }

  /** What the device should have for a peer that `step` has seen. */
  endpointOf(key: PublicKey): ChosenEndpoint {
    const attempt = this.#attempts.get(key);
    const endpoint = attempt?.candidates[attempt.position] ?? null;
    return { endpoint, forceEndpoint: endpoint !== null && attempt?.fresh === false };
  }

  /** True while some peer with candidates has no fresh session: look again soon. */
  get searching(): boolean {
    for (const { fresh, candidates } of this.#attempts.values()) if (!fresh && candidates.length > 0) return true;
    return false;
  }
}

function nextAttempt(
  before: Attempt | undefined,
  candidates: readonly HostPort[],
  fresh: boolean,
  monoMs: number,
): Attempt {
  if (before === undefined) return { candidates, position: 0, sinceMonoMs: monoMs, fresh };
  if (!sameEndpoints(before.candidates, candidates)) {
    const current = before.candidates[before.position];
    const kept =
      current === undefined ? -1 : candidates.findIndex((c) => formatEndpoint(c) === formatEndpoint(current));
    return kept >= 0
      ? { candidates, position: kept, sinceMonoMs: before.sinceMonoMs, fresh }
      : { candidates, position: 0, sinceMonoMs: monoMs, fresh };
  }
  if (fresh !== before.fresh) return { ...before, sinceMonoMs: monoMs, fresh };
  if (fresh || candidates.length < 2 || monoMs - before.sinceMonoMs < ROTATE_AFTER_MS) return before;
  return { ...before, position: (before.position + 1) % candidates.length, sinceMonoMs: monoMs };
}

function sameEndpoints(a: readonly HostPort[], b: readonly HostPort[]): boolean {
  return a.length === b.length && a.every((e, i) => e.port === b[i]?.port && e.address === b[i]?.address);
}

/**
 * Tells candidates that can lead to another host from those that cannot: addresses of the overlay itself (the mesh
 * would find a way through itself), loopback, unspecified, multicast and link-local ones, and this host's own socket.
 */
export function usableEndpoint(
  plan: AddressPlan,
  ownAddresses: readonly string[],
  ownPort: number,
): (e: HostPort) => boolean {
  const banned = [
    plan.tunnel,
    plan.node4,
    plan.node6,
    '127.0.0.0/8',
    '0.0.0.0/8',
    '169.254.0.0/16',
    '224.0.0.0/3',
    '::/127',
    'fe80::/10',
    'ff00::/8',
  ]
    .map(parsePrefix)
    .flatMap((p) => (p.ok ? [p.value] : []));
  const own = new Set(ownAddresses.map((address) => formatEndpoint({ address, port: ownPort })));
  return (endpoint) => {
    const { address } = endpoint;
    const prefix = parsePrefix(address.includes(':') ? `${address}/128` : `${address}/32`);
    return prefix.ok && !own.has(formatEndpoint(endpoint)) && !banned.some((b) => prefixesOverlap(prefix.value, b));
  };
}
