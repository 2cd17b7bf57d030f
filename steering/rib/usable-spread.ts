/**
 * What is left of a spread after links and nodes went: a part of it that still has no loop and no dead end, or nothing.
 * Taking members out of groups without a loop makes none; a node that would be left without a next hop makes the whole
 * spread useless, since what it would do instead might lead back.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { NO_SPREAD, type Spread, type SpreadMember } from './hop-choice.ts';

/**
 * `forwards(slot)`: the node may be passed through and is known to forward by its group. `reachable(slot)`: there is a
 * path of any kind from it; one without is left out. Returns the same object where nothing has to go.
 */
export function usableSpread(
  graph: CsrGraph,
  root: number,
  spread: Spread,
  forwards: (slot: number) => boolean,
  reachable: (slot: number) => boolean,
): Spread {
  let now = spread;
  for (;;) {
    const next = new Map<number, readonly SpreadMember[]>();
    let whole = true;
    for (const [slot, members] of now) {
      const kept = members.filter(
        (member) =>
          graph.weight(slot, member.slot) !== Number.POSITIVE_INFINITY &&
          (member.slot === root || (graph.isTransit(member.slot) && forwards(member.slot) && now.has(member.slot))),
      );
      if (kept.length < members.length) whole = false;
      if (kept.length === 0 && reachable(slot)) return NO_SPREAD;
      const [only] = kept;
      if (only !== undefined) next.set(slot, kept.length === 1 ? [{ slot: only.slot, weight: 1 }] : kept);
    }
    if (whole) return now;
    now = next;
  }
}
