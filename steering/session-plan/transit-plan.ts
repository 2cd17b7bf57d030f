/**
 * Which pairs of transit nodes hold sessions. In this order, under a bound that holds at both ends:
 *
 *   tree     the shortest measured links that connect everything; what is still apart is joined by estimate
 *   demand   measured direct links of pairs that talk much, where no way round is shorter; unmeasured ones, to measure them
 *   spanner  level by level, t = 2, 1.5, … 1: a measured link that is a best way is taken when the way over links taken
 *            so far is longer than t times the link (a greedy spanner, Althöfer et al. 1993, with a falling t, so that
 *            every pair is served roughly before some are served exactly). Within a level, links that carry many best
 *            ways for their length come first.
 *   random   long links that depend on nothing but the seed, for ways that fail independently of what is near
 *   fill     nodes with few links, as new ones, get what is near by estimate, or at random while there is no estimate
 *
 * A link of the plan before counts as shorter by `stickiness`, in the order and in each test, so that noise moves few pairs.
 */
import { joinParts } from './mesh-joiner.ts';
import { knownOrEstimateUs, type TransitPlanInput } from './plan-input.ts';
import { PlannedLinks } from './planned-links.ts';
import { pairHash } from './seeded.ts';

export interface TransitPlanOptions {
  /** Most sessions of a transit node with transit nodes. */
  readonly degree: number;
  /** By how much a link of the plan before counts as shorter. 0.05: see the churn in docs/session-plan.md. */
  readonly stickiness: number;
  /** Random long links per node. */
  readonly randomLinks: number;
  /** Sessions per node that are reserved for pairs that talk much. */
  readonly demandLinks: number;
  /** A node with fewer links than this gets more of what is near; one that has measured fewer than `degree` pairs, all. */
  readonly leastLinks: number;
}

/** Values of t. From 2 down to 1 in steps that shrink: more steps gained less than 0.1 % of mean stretch. */
const LEVELS = [2, 1.5, 1.3, 1.2, 1.1, 1.05, 1];
/** Among the nearest by estimate, so many are looked at to fill a place. */
const FILL_TRIES = 4;

/** Usage of a link wanders by tens of per cent when a link elsewhere changes, so its bonus is larger: a half. */
const INCUMBENT_ORDER = 0.5;

interface Candidate {
  readonly a: number;
  readonly b: number;
  readonly rttUs: number;
  /** RTT less the bonus of a link of the plan before. */
  readonly countedUs: number;
  readonly order: number;
  /** A way of planned links that was found, in microseconds: an upper bound from then on. */
  wayUs: number;
}

export function planTransit(input: TransitPlanInput, options: TransitPlanOptions): PlannedLinks {
  const planned = new PlannedLinks(input.table.nodeCount, options.degree);
  const candidates = candidatesOf(input, options);
  addTree(planned, candidates);
  joinParts(planned, input);
  addDemand(planned, input, options);
  addSpanner(planned, candidates);
  addRandom(planned, input, options);
  addFill(planned, input, options);
  return planned;
}

/** Measured links that are, or nearly are for a link of the plan before, the best known way between their ends. */
function candidatesOf(input: TransitPlanInput, options: TransitPlanOptions): Candidate[] {
  const { table, paths } = input;
  const candidates: Candidate[] = [];
  for (let a = 0; a < table.nodeCount; a++) {
    for (let k = table.start[a] ?? 0; k < (table.start[a + 1] ?? 0); k++) {
      const b = table.peer[k] ?? 0;
      if (b < a || !input.isPossible(a, b)) continue;
      const rttUs = table.rtt[k] ?? 0;
      const incumbent = input.wasPlanned(a, b);
      const countedUs = incumbent ? rttUs * (1 - options.stickiness) : rttUs;
      if (paths.beats(a, b, countedUs)) continue;
      const order = (incumbent ? INCUMBENT_ORDER : 1) * (countedUs / Math.max(1, paths.usage[k] ?? 0));
      candidates.push({ a, b, rttUs, countedUs, order, wayUs: Number.POSITIVE_INFINITY });
    }
  }
  return candidates;
}

function byKey(key: (candidate: Candidate) => number): (x: Candidate, y: Candidate) => number {
  return (x, y) => key(x) - key(y) || x.a - y.a || x.b - y.b;
}

function addTree(planned: PlannedLinks, candidates: readonly Candidate[]): void {
  for (const { a, b, rttUs } of [...candidates].sort(byKey((c) => c.countedUs))) {
    if (planned.isFull(a) || planned.isFull(b) || planned.componentOf(a) === planned.componentOf(b)) continue;
    planned.add(a, b, rttUs);
  }
}

function addDemand(planned: PlannedLinks, input: TransitPlanInput, options: TransitPlanOptions): void {
  const used = new Int32Array(input.table.nodeCount);
  for (const { a, b } of input.demands) {
    if ((used[a] ?? 0) >= options.demandLinks || (used[b] ?? 0) >= options.demandLinks) continue;
    if (planned.isFull(a) || planned.isFull(b) || planned.has(a, b) || !input.isPossible(a, b)) continue;
    const measured = input.table.rttUs(a, b);
    if (!Number.isNaN(measured) && input.paths.beats(a, b, measured)) continue;
    planned.add(a, b, knownOrEstimateUs(input, a, b));
    used[a] = (used[a] ?? 0) + 1;
    used[b] = (used[b] ?? 0) + 1;
  }
}

function addSpanner(planned: PlannedLinks, candidates: Candidate[]): void {
  let open = candidates.filter(({ a, b }) => !planned.has(a, b)).sort(byKey((c) => c.order));
  for (const level of LEVELS) {
    const left: Candidate[] = [];
    for (const candidate of open) {
      const { a, b, rttUs, countedUs } = candidate;
      // a full node stays full
      if (planned.isFull(a) || planned.isFull(b)) continue;
      const limitUs = level * countedUs;
      // ways only get shorter, so one that was found before is good for a lower level as long as it is short enough
      if (candidate.wayUs > limitUs) candidate.wayUs = planned.wayWithin(a, b, limitUs);
      if (candidate.wayUs <= limitUs) left.push(candidate);
      else planned.add(a, b, rttUs);
    }
    open = left;
  }
}

/** For each node the pairs with the least hashes: whoever else joins or leaves, most of them stay. */
function addRandom(planned: PlannedLinks, input: TransitPlanInput, options: TransitPlanOptions): void {
  if (options.randomLinks === 0) return;
  const { table, seed } = input;
  for (let a = 0; a < table.nodeCount; a++) {
    const picks: { b: number; hash: number }[] = [];
    for (let b = 0; b < table.nodeCount; b++) {
      if (a === b || !input.isPossible(a, b)) continue;
      const hash = pairHash(seed, table.nodeOf(a), table.nodeOf(b));
      if (picks.length === options.randomLinks && hash >= (picks.at(-1)?.hash ?? 0)) continue;
      picks.push({ b, hash });
      picks.sort((x, y) => x.hash - y.hash || x.b - y.b);
      picks.length = Math.min(picks.length, options.randomLinks);
    }
    for (const { b } of picks) {
      if (!planned.isFull(a) && !planned.isFull(b) && !planned.has(a, b))
        planned.add(a, b, knownOrEstimateUs(input, a, b));
    }
  }
}

function addFill(planned: PlannedLinks, input: TransitPlanInput, options: TransitPlanOptions): void {
  const { table, seed } = input;
  for (let a = 0; a < table.nodeCount; a++) {
    const wanted = table.countOf(a) < options.degree ? options.degree : options.leastLinks;
    const missing = Math.min(wanted, options.degree) - (planned.degree[a] ?? 0);
    if (missing <= 0) continue;
    const near = input.nearest(a, missing * FILL_TRIES);
    // as many tries at random: enough to find some with a free place, few enough to stay cheap
    const far = Array.from({ length: missing * FILL_TRIES }, (_, i) => pairHash(seed + i, a, a) % table.nodeCount);
    let added = 0;
    for (const b of [...near, ...far]) {
      if (added === missing) break;
      if (a === b || planned.isFull(b) || planned.has(a, b) || !input.isPossible(a, b)) continue;
      planned.add(a, b, knownOrEstimateUs(input, a, b));
      added++;
    }
  }
}
