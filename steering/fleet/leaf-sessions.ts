/**
 * Which transit nodes a leaf holds sessions with: the nearest by session-plan/leaf-plan.ts, and while there are promising
 * ones that were never measured, one of those at a time, for one round. Pure: a look at one leaf gives its sessions.
 *
 *   a transit node that was not measured is at least as far as |rtt(leaf, S) - rtt(S, it)| for each S that was (triangle);
 *   the least of these bounds goes first, and none is tried that cannot be nearer than what the leaf has
 */
import { hashOf } from '../leaf/attachment.ts';
import { LINKS } from '../leaf/leaf-links.ts';
import { DEFAULT_LEAF_PLAN_OPTIONS, type LeafPlan, type LeafRoom, planLeaf } from '../session-plan/leaf-plan.ts';

/** A session needs a handshake, a window of probes and a report: three rounds of reports at the default pace. */
export const EXPLORE_MS = 8_000;
/** With nothing left to measure, rounds go on at a slow pace, since RTTs change. */
const QUIET_MS = 60_000;

/** What stands for the RTT to a transit node that did not answer for a whole round. */
export const UNREACHED_US = Number.POSITIVE_INFINITY;

export interface LeafSessionsInput {
  readonly leaf: number;
  /** Transit nodes that take leaves, by node index. */
  readonly transit: readonly number[];
  /** RTTs that were measured from the leaf, in microseconds. */
  readonly knownRttUs: ReadonlyMap<number, number>;
  /** RTT between two transit nodes; null: not measured. */
  readonly rttUs: (a: number, b: number) => number | null;
  readonly before: LeafPlan | null;
  /** Sessions that must stay for now: the home, and what rows lead through. */
  readonly held: readonly number[];
  readonly room: LeafRoom;
  /** Asked when there is one to try: whether the round may begin now. */
  readonly mayExplore: () => boolean;
}

export interface LeafSessions {
  readonly plan: LeafPlan;
  /** Node indices, at most LINKS. */
  readonly sessions: readonly number[];
  /** Milliseconds until the next look. */
  readonly nextMs: number;
  readonly explores: boolean;
  /** All that the plan names has been measured. */
  readonly measured: boolean;
}

export function planLeafSessions(input: LeafSessionsInput): LeafSessions {
  const { leaf, transit, knownRttUs, before, held, room } = input;
  // what is not known is in the leaf's own order, so that newcomers do not all begin with the same ones
  const candidates = [...transit].sort((a, b) => hashOf(leaf, b) - hashOf(leaf, a) || a - b);
  const plan = planLeaf(
    {
      leaf,
      transit: candidates,
      rttUs: (index) => knownRttUs.get(index) ?? Number.NaN,
      isPossible: () => true,
      demands: [],
      before,
    },
    room,
    DEFAULT_LEAF_PLAN_OPTIONS,
  );
  const sessions = [...new Set([...held, ...plan.transit])].slice(0, LINKS);
  const explored = sessions.length < LINKS ? mostPromising(input, candidates, plan, sessions) : undefined;
  if (explored !== undefined && input.mayExplore()) sessions.push(explored);
  const measured = plan.transit.every((index) => knownRttUs.has(index));
  const explores = explored !== undefined || !measured;
  return { plan, sessions, nextMs: explores ? EXPLORE_MS : QUIET_MS, explores, measured };
}

function mostPromising(
  { knownRttUs, rttUs }: LeafSessionsInput,
  candidates: readonly number[],
  plan: LeafPlan,
  sessions: readonly number[],
): number | undefined {
  const own = plan.transit.map((index) => knownRttUs.get(index) ?? Number.POSITIVE_INFINITY);
  const worstUs = Math.max(...own);
  let best: number | undefined;
  let bestUs = worstUs;
  for (const index of candidates) {
    if (knownRttUs.has(index) || sessions.includes(index)) continue;
    let leastUs = 0;
    for (const [measured, fromLeafUs] of knownRttUs) {
      const onwardUs = rttUs(measured, index);
      if (onwardUs !== null && fromLeafUs !== UNREACHED_US)
        leastUs = Math.max(leastUs, Math.abs(fromLeafUs - onwardUs));
    }
    if (leastUs < bestUs) [best, bestUs] = [index, leastUs];
  }
  return best;
}
