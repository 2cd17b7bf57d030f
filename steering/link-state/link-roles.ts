/**
 * What each pair of nodes is to each other in a mesh that is too big for everybody to talk to everybody:
 *
 *   planned    a session that carries packets
 *   leaving    a session that is to end: it carries packets only where there is no other way
 *   draining   nobody sends over it any more; packets on their way still arrive
 *   exploring  a session that is there to be measured and carries nothing
 *   none       no session
 */
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';
import type { LinkRole } from '../steering-engine-port.ts';

/** An unordered pair of nodes by stable index. */
export interface NodePair {
  readonly low: number;
  readonly high: number;
}

export interface PairRole extends NodePair {
  readonly role: LinkRole;
}

/** The pair as one exact number: the product stays below 2^53. */
export function pairKey(a: number, b: number): number {
  return a < b ? a * (MAX_NODE_INDEX + 2) + b : b * (MAX_NODE_INDEX + 2) + a;
}

/** Mutable; owned by the engine. Until `set` says otherwise every pair is planned. */
export class LinkRoles {
  #roles: Map<number, LinkRole> | null = null;

  /** Every pair holds a session and carries packets. */
  get everyPair(): boolean {
    return this.#roles === null;
  }

  of(a: number, b: number): LinkRole {
    return this.#roles === null ? 'planned' : (this.#roles.get(pairKey(a, b)) ?? 'none');
  }

  /** Null: every pair from now on. Otherwise the pairs' roles; pairs that were never named have none. */
  set(pairs: readonly PairRole[] | null): void {
    if (pairs === null) {
      this.#roles = null;
      return;
    }
    this.#roles ??= new Map();
    for (const { low, high, role } of pairs) {
      if (role === 'none') this.#roles.delete(pairKey(low, high));
      else this.#roles.set(pairKey(low, high), role);
    }
  }

  removeNode(index: number, peers: Iterable<number>): void {
    for (const peer of peers) this.#roles?.delete(pairKey(index, peer));
  }
}
