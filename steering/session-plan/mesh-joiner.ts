/**
 * Joins what is still apart: in rounds, each part takes the best pair that leads out of it, until there is one part or no
 * pair is possible. The bound gives way only where the mesh would fall apart without the session.
 */
import { knownOrEstimateUs, type TransitPlanInput } from './plan-input.ts';
import type { PlannedLinks } from './planned-links.ts';
import { pairHash } from './seeded.ts';

interface WayOut {
  readonly a: number;
  readonly b: number;
  readonly us: number;
  readonly hash: number;
}

export function joinParts(planned: PlannedLinks, input: TransitPlanInput): void {
  while (joinRound(planned, input, false) || joinRound(planned, input, true)) {
    // each round that joined something leaves fewer parts
  }
}

/** True when at least two parts were joined. `beyondBound`: full slots may take part. */
function joinRound(planned: PlannedLinks, input: TransitPlanInput, beyondBound: boolean): boolean {
  const parts = partsOf(planned, input.table.nodeCount);
  if (parts.length < 2) return false;
  let joined = false;
  // the largest part waits until others have joined it: its scan would cost as much as all others together
  for (const part of parts.slice(0, -1)) {
    const best = bestWayOut(planned, input, part, beyondBound);
    if (best === undefined || planned.componentOf(best.a) === planned.componentOf(best.b)) continue;
    planned.add(best.a, best.b, knownOrEstimateUs(input, best.a, best.b));
    joined = true;
  }
  return joined;
}

/** Slots by part, smallest part first. */
function partsOf(planned: PlannedLinks, slots: number): number[][] {
  const parts = new Map<number, number[]>();
  for (let v = 0; v < slots; v++) {
    const part = planned.componentOf(v);
    const members = parts.get(part);
    if (members === undefined) parts.set(part, [v]);
    else members.push(v);
  }
  return [...parts.values()].sort((x, y) => x.length - y.length || (x[0] ?? 0) - (y[0] ?? 0));
}

function bestWayOut(
  planned: PlannedLinks,
  input: TransitPlanInput,
  part: readonly number[],
  beyondBound: boolean,
): WayOut | undefined {
  const { table, estimate, seed } = input;
  let best: WayOut | undefined;
  const mine = planned.componentOf(part[0] ?? 0);
  for (const a of part) {
    if (!beyondBound && planned.isFull(a)) continue;
    for (let b = 0; b < table.nodeCount; b++) {
      if (planned.componentOf(b) === mine || (!beyondBound && planned.isFull(b)) || !input.isPossible(a, b)) continue;
      // a quick look at the prediction; what has none comes last, and among those chance decides
      const plain = estimate.plainUs(a, b);
      const us = Number.isNaN(plain) ? Number.POSITIVE_INFINITY : plain;
      if (best !== undefined && us > best.us) continue;
      const hash = pairHash(seed, table.nodeOf(a), table.nodeOf(b));
      if (best === undefined || us < best.us || hash < best.hash) best = { a, b, us, hash };
    }
  }
  return best;
}
