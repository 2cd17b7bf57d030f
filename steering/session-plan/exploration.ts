/**
 * Which unmeasured pairs to probe for one round, so that the next plan knows more. A bounded number per node, held at
 * both ends. Three kinds:
 *
 *   near   least of (estimate, best known way): short links serve many pairs, and what two short known links join is
 *          often short itself
 *   site   hosts of one site, which look far apart by their heights and are not: what both measured to the same peers
 *          is alike (median difference), among those that are nearest by the least that the coordinates allow
 *   gain   least of (estimate / best known way): pairs that are served badly, if the estimate is right. As a ratio, as
 *          stretch is: by the difference, far pairs that lose a little are tried before near ones that lose much
 *
 * A node from which no known ways were computed (more nodes than the sample) tries pairs at random instead of gain.
 */
import type { LinkTable } from './link-table.ts';
import type { TransitPlanInput } from './plan-input.ts';
import { pairHash } from './seeded.ts';

export interface ExplorationOptions {
  /** Most unmeasured pairs per node and round. 0: never explore. */
  readonly perNode: number;
  /** Of these, most that are chosen by nearness, and most by nearness and as hosts of one site together. */
  readonly near: number;
  readonly nearAndSite: number;
}

/** Nodes that are looked at as hosts of one's site: coordinates err by more than sites are wide. */
const SITE_TRIES = 48;
/** Peers that both must have measured for their profiles to be compared. */
const COMMON_PEERS = 3;
/** Pairs that each node proposes, for each that it may get: others may have no place left. */
const PROPOSALS = 4;

interface Proposal {
  readonly a: number;
  readonly b: number;
  /** Less is better. */
  readonly score: number;
}

/** Pairs of slots (low, high), sorted. */
export function chooseExploration(
  input: TransitPlanInput,
  options: ExplorationOptions,
  round: number,
): readonly (readonly [number, number])[] {
  if (options.perNode === 0) return [];
  const n = input.table.nodeCount;
  const count = options.perNode * PROPOSALS;
  const near: Proposal[] = [];
  const site: Proposal[] = [];
  const gain: Proposal[] = [];
  for (let a = 0; a < n; a++) propose(input, a, count, round, { near, site, gain });
  const used = new Int32Array(n);
  const taken = new Set<number>();
  const take = (proposals: Proposal[], most: number): void => {
    proposals.sort((x, y) => x.score - y.score || x.a - y.a || x.b - y.b);
    for (const { a, b } of proposals) {
      if ((used[a] ?? 0) >= most || (used[b] ?? 0) >= most || taken.has(a * n + b)) continue;
      taken.add(a * n + b);
      used[a] = (used[a] ?? 0) + 1;
      used[b] = (used[b] ?? 0) + 1;
    }
  };
  take(near, Math.min(options.near, options.perNode));
  take(site, Math.min(options.nearAndSite, options.perNode));
  take(gain, options.perNode);
  return [...taken].sort((x, y) => x - y).map((key) => [Math.floor(key / n), key % n] as const);
}

function propose(
  input: TransitPlanInput,
  a: number,
  count: number,
  round: number,
  proposals: { readonly near: Proposal[]; readonly site: Proposal[]; readonly gain: Proposal[] },
): void {
  const { table, estimate, paths, seed } = input;
  const n = table.nodeCount;
  const ways = paths.distancesFrom(a);
  const [nearest, closest, worst] = [new Shortlist(count), new Shortlist(SITE_TRIES), new Shortlist(count)];
  for (let b = 0; b < n; b++) {
    if (a === b) continue;
    const plain = estimate.plainUs(a, b);
    const way = ways?.[b] ?? Number.POSITIVE_INFINITY;
    const least = Number.isNaN(plain) ? way : Math.min(plain, way);
    // without any knowledge, and beyond the sample, chance decides
    const chance = pairHash(seed + round, table.nodeOf(a), table.nodeOf(b));
    const badness =
      ways === undefined || Number.isNaN(plain) || way === Number.POSITIVE_INFINITY ? -chance : plain / way;
    const floor = estimate.leastUs(a, b);
    if (!nearest.wants(least) && !closest.wants(floor) && !worst.wants(badness)) continue;
    if (!Number.isNaN(table.rttUs(a, b)) || !input.isPossible(a, b)) continue;
    if (least !== Number.POSITIVE_INFINITY) nearest.offer(b, least);
    if (!Number.isNaN(floor)) closest.offer(b, floor);
    worst.offer(b, badness);
  }
  const [low, high] = [(b: number) => Math.min(a, b), (b: number) => Math.max(a, b)];
  for (const b of nearest.items()) {
    const score = Math.min(orInfinity(estimate.estimateUs(a, b)), ways?.[b] ?? Number.POSITIVE_INFINITY);
    proposals.near.push({ a: low(b), b: high(b), score });
  }
  for (const b of closest.items()) {
    const apart = profileDifferenceUs(table, a, b);
    const score = Number.isNaN(apart) ? estimate.leastUs(a, b) : apart;
    proposals.site.push({ a: low(b), b: high(b), score });
  }
  for (const b of worst.items()) {
    const way = ways?.[b];
    const score = orInfinity(estimate.estimateUs(a, b)) / (way ?? 1);
    proposals.gain.push({ a: low(b), b: high(b), score: Number.isNaN(score) ? 1 : score });
  }
}

/** Median of |rtt(a, k) - rtt(b, k)| over the peers k that both measured, in microseconds; NaN: too few. */
function profileDifferenceUs(table: LinkTable, a: number, b: number): number {
  const differences: number[] = [];
  let [i, j] = [table.start[a] ?? 0, table.start[b] ?? 0];
  const [toI, toJ] = [table.start[a + 1] ?? 0, table.start[b + 1] ?? 0];
  while (i < toI && j < toJ) {
    const [p, q] = [table.peer[i] ?? 0, table.peer[j] ?? 0];
    if (p === q) differences.push(Math.abs((table.rtt[i] ?? 0) - (table.rtt[j] ?? 0)));
    if (p <= q) i++;
    if (q <= p) j++;
  }
  if (differences.length < COMMON_PEERS) return Number.NaN;
  differences.sort((x, y) => x - y);
  return differences[differences.length >> 1] ?? Number.NaN;
}

function orInfinity(value: number): number {
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

/** The items with the least keys, in the order of their keys. */
export class Shortlist {
  readonly #most: number;
  readonly #items: number[] = [];
  readonly #keys: number[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  wants(key: number): boolean {
    return this.#keys.length < this.#most || key < (this.#keys.at(-1) ?? 0);
  }

  offer(item: number, key: number): void {
    if (!this.wants(key)) return;
    let at = this.#keys.length;
    while (at > 0 && (this.#keys[at - 1] ?? 0) > key) at--;
    this.#keys.splice(at, 0, key);
    this.#items.splice(at, 0, item);
    if (this.#keys.length <= this.#most) return;
    this.#keys.pop();
    this.#items.pop();
  }

  items(): readonly number[] {
    return this.#items;
  }
}
