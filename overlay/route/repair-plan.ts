/**
 * Computes the commands that move all routes off neighbours that are down, by next-hop objects alone. Pure. The work grows
 * with the pairs of next hop and backup in use, not with the routes behind them.
 */
import type { KernelNextHop } from './kernel-snapshot.ts';
import { placeOf, singleCommand } from './next-hop-set.ts';
import type { StandbyObject } from './route-plan.ts';
import { standbyHop } from './standby-hop.ts';

export interface RepairPlan {
  readonly main: readonly string[];
  /** A batch of its own (`ip -6`). */
  readonly sixNextHops: readonly string[];
  /** What the kernel holds then; undefined: there is nothing to do. */
  readonly nextHops: readonly KernelNextHop[] | undefined;
}

/** @param held the next hops that the kernel holds */
export function computeRepair(
  standbys: readonly StandbyObject[],
  held: readonly KernelNextHop[],
  down: ReadonlySet<string>,
): RepairPlan {
  const byId = new Map(held.map((nextHop) => [nextHop.id, nextHop]));
  const main: string[] = [];
  const sixNextHops: string[] = [];
  for (const { id, family, standby } of standbys) {
    const before = byId.get(id);
    const hop = standbyHop(standby, (neighbour) => down.has(neighbour));
    const place = placeOf(hop);
    if (before === undefined || (before.device === place.device && before.outerDst === place.outerDst)) continue;
    (family === 6 ? sixNextHops : main).push(singleCommand('replace', id, hop));
    byId.set(id, { ...before, ...place });
  }
  const isNothing = main.length === 0 && sixNextHops.length === 0;
  return { main, sixNextHops, nextHops: isNothing ? undefined : [...byId.values()] };
}
