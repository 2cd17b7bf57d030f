/**
 * Hysteresis: which next hops towards one destination stay and which move, given a new SPF tree. A node keeps its next
 * hop while the path it has is good enough:
 *
 *   at once    the next hop is unusable, or what lies behind it broke and its repair is not within the margin
 *   holdMs     a gain above marginUs and marginRatio of the present cost, without a break
 *              (fastHoldMs when the new path costs less than half of the present one)
 *   settleMs   a gain above settleUs and settleRatio, without a break: the steady state nears the true optimum
 *
 * A detour must also be proven against the direct link (DirectBand): what it cannot be proven to beat keeps the direct one
 * as the best. Without a proof, half the direct link's level for `believeMs` is taken for one.
 *
 * A mix of kept and new next hops need not be loop-free, so the result is followed to the destination from every node;
 * a node found on a loop takes its next hop of the tree. Each round moves at least one more node to the tree, and the
 * tree itself has no loop, so this ends. (With equal timers a loop cannot arise: the gain of a node is never less
 * than that of the next hop it keeps. Timers that started at different moments make the check necessary.)
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { mayUse, type SpfRules, type SpfTree } from '../spf/spf-tree.ts';

export interface IncumbencyOptions {
  /** A move must win by both. 0.5 ms is above the noise of RTTs that userspace measures; 2.5 % below what people notice. */
  readonly marginUs: number;
  readonly marginRatio: number;
  /** 1 s: five probes at 5/s agree. */
  readonly holdMs: number;
  /** For a path that costs less than half: the loss of waiting outweighs the risk of a flap. */
  readonly fastHoldMs: number;
  readonly settleUs: number;
  readonly settleRatio: number;
  readonly settleMs: number;
  /** A detour at half of the present level of an unsteady direct link is believed after this: 10 min, five of its samples. */
  readonly believeMs: number;
  /** A detour in use is given up when it costs so much more than what would prove it. */
  readonly leaveRatio: number;
}

export const DEFAULT_INCUMBENCY_OPTIONS: IncumbencyOptions = {
  marginUs: 500,
  marginRatio: 0.025,
  holdMs: 1_000,
  fastHoldMs: 300,
  settleUs: 300,
  settleRatio: 0.01,
  settleMs: 20_000,
  believeMs: 600_000,
  leaveRatio: 0.05,
};

/** Since when each node (by slot) would gain by moving; NaN: it would not. */
export class MoveTimers {
  winsSinceMs = new Float64Array(0);
  settlesSinceMs = new Float64Array(0);
  /** Since when the tree's way costs less than half of a direct link against which it is not proven. */
  halvesSinceMs = new Float64Array(0);
  /** Since when a detour in use is not proven any more. */
  unprovenSinceMs = new Float64Array(0);

  reset(slotCount: number): void {
    const known = this.winsSinceMs.length;
    if (known >= slotCount) return;
    const [wins, settles, halves] = [this.winsSinceMs, this.settlesSinceMs, this.halvesSinceMs];
    this.winsSinceMs = new Float64Array(slotCount * 2).fill(Number.NaN);
    this.settlesSinceMs = new Float64Array(slotCount * 2).fill(Number.NaN);
    this.winsSinceMs.set(wins);
    this.settlesSinceMs.set(settles);
    this.halvesSinceMs = new Float64Array(slotCount * 2).fill(Number.NaN);
    this.halvesSinceMs.set(halves);
    const unproven = this.unprovenSinceMs;
    this.unprovenSinceMs = new Float64Array(slotCount * 2).fill(Number.NaN);
    this.unprovenSinceMs.set(unproven);
  }

  clear(slot: number): void {
    this.winsSinceMs[slot] = Number.NaN;
    this.settlesSinceMs[slot] = Number.NaN;
    this.unprovenSinceMs[slot] = Number.NaN;
  }

  clearAll(): void {
    this.winsSinceMs.fill(Number.NaN);
    this.settlesSinceMs.fill(Number.NaN);
    this.halvesSinceMs.fill(Number.NaN);
    this.unprovenSinceMs.fill(Number.NaN);
  }
}

/** What the direct link of a node to the destination counts with: see LinkBand. */
export interface DirectBand {
  /** Its present level by the word of the end that measured less. */
  readonly leastUs: number;
  /** What the graph has; equal to level and bottom when the link is steady: then there is nothing to prove. */
  readonly topUs: number;
  /** A detour must stay below this. */
  readonly bottomUs: number;
}

/** Where each node should go: the tree, except that nodes whose detour is not proven go directly. */
interface Target {
  readonly nextHop: Int32Array;
  readonly distance: Float64Array;
  /** By slot: 1 where the direct link was put in the tree's place. */
  readonly turned: Uint8Array;
  /** When waiting alone may prove a detour; Infinity: never. */
  readonly dueMs: number;
}

export interface Decision {
  /** By slot; -1: no path. */
  readonly nextHop: Int32Array;
  /** Cost of the path that results, by slot; Infinity: none. */
  readonly cost: Float64Array;
  /** When a hold time ends that could move a node; Infinity: none runs. */
  readonly dueMs: number;
}

/** Least gain for which a path of `costUs` is given up after a hold. */
export function moveMarginUs(costUs: number, options: IncumbencyOptions): number {
  return Math.max(options.marginUs, options.marginRatio * costUs);
}

/** What a hop towards `root` costs: the link and, unless it ends there, the transit price. Infinity: not usable. */
function hopCost(graph: CsrGraph, root: number, rules: SpfRules, from: number, to: number): number {
  if (to < 0 || !mayUse(graph, root, rules, from, to)) return Number.POSITIVE_INFINITY;
  return graph.weight(from, to) + (to === root ? 0 : rules.transitHopUs);
}

/** Decides for all nodes. Changes `timers` only. `rules.inUse` holds the incumbents. */
export function decideNextHops(
  graph: CsrGraph,
  root: number,
  rules: SpfRules,
  tree: SpfTree,
  timers: MoveTimers,
  nowMs: number,
  options: IncumbencyOptions,
  directBand: (slot: number) => DirectBand | null = () => null,
): Decision {
  const slots = graph.slotCount;
  timers.reset(slots);
  const incumbent = rules.inUse;
  const target = proven(graph, root, rules, tree, timers, nowMs, options, directBand);
  const hop = new Float64Array(slots).fill(Number.POSITIVE_INFINITY);
  for (const v of graph.slots()) if (v !== root) hop[v] = hopCost(graph, root, rules, v, incumbent[v] ?? -1);
  const present = followAll(graph, root, incumbent, hop).cost;

  const nextHop = new Int32Array(slots).fill(-1);
  const expected = new Float64Array(slots).fill(Number.POSITIVE_INFINITY);
  expected[root] = 0;
  const disturbed: number[] = [];
  let dueMs = target.dueMs;
  for (let i = 1; i < tree.reached; i++) {
    const v = tree.order[i] ?? 0;
    const candidate = target.nextHop[v] ?? -1;
    const old = incumbent[v] ?? -1;
    const viaCandidate = hopCost(graph, root, rules, v, candidate) + (expected[candidate] ?? 0);
    nextHop[v] = candidate;
    expected[v] = viaCandidate;
    if (old === candidate || hop[v] === Number.POSITIVE_INFINITY) {
      timers.clear(v);
      continue;
    }
    const cost = present[v] ?? 0;
    if (cost === Number.POSITIVE_INFINITY) {
      // what lies behind the old next hop broke: keep it for now and look at the repaired path below
      nextHop[v] = old;
      disturbed.push(v);
      continue;
    }
    // The gain is that of the tree, so that all nodes of a path start their holds together; when its hold is over the
    // move is made only if those behind the candidate have moved too, or are near enough as they are.
    const home = goesHomeMs(target, timers, v, nowMs, options);
    const until = Math.min(home, holdUntilMs(timers, v, cost, target.distance[v] ?? 0, nowMs, options));
    const gains = home <= nowMs || cost - viaCandidate > Math.max(options.settleUs, options.settleRatio * cost);
    if (until <= nowMs && gains) {
      timers.clear(v);
    } else {
      nextHop[v] = old;
      expected[v] = cost;
      if (until > nowMs) dueMs = Math.min(dueMs, until);
    }
  }
  const cost = settle(graph, root, rules, target, nextHop, disturbed, options);
  for (const v of graph.slots()) if (nextHop[v] === -1 || nextHop[v] === target.nextHop[v]) timers.clear(v);
  return { nextHop, cost, dueMs };
}

/** The tree with the nodes whose detour is not proven against their direct link turned to it. Loop-free, as the tree is. */
function proven(
  graph: CsrGraph,
  root: number,
  rules: SpfRules,
  tree: SpfTree,
  timers: MoveTimers,
  nowMs: number,
  options: IncumbencyOptions,
  directBand: (slot: number) => DirectBand | null,
): Target {
  const nextHop = Int32Array.from(tree.nextHop);
  const distance = Float64Array.from(tree.distance);
  const turned = new Uint8Array(nextHop.length);
  let dueMs = Number.POSITIVE_INFINITY;
  for (let i = 1; i < tree.reached; i++) {
    const v = tree.order[i] ?? 0;
    const hop = nextHop[v] ?? -1;
    // what is ahead may have been turned to its direct link
    distance[v] = hopCost(graph, root, rules, v, hop) + (distance[hop] ?? 0);
    const halves = timers.halvesSinceMs[v] ?? Number.NaN;
    timers.halvesSinceMs[v] = Number.NaN;
    if (hop === root) continue;
    const direct = hopCost(graph, root, rules, v, root);
    const band = direct === Number.POSITIVE_INFINITY ? null : directBand(v);
    if (band === null || band.bottomUs >= band.topUs || (distance[v] ?? 0) < band.bottomUs) continue;
    const inUse = (rules.inUse[v] ?? -1) >= 0 && rules.inUse[v] !== root;
    if (inUse && (distance[v] ?? 0) < band.bottomUs * (1 + options.leaveRatio)) continue;
    if ((distance[v] ?? 0) * 2 < band.leastUs) {
      if (inUse) continue;
      const since = Number.isNaN(halves) ? nowMs : halves;
      timers.halvesSinceMs[v] = since;
      if (nowMs >= since + options.believeMs) continue;
      dueMs = Math.min(dueMs, since + options.believeMs);
    }
    nextHop[v] = root;
    distance[v] = direct;
    turned[v] = 1;
  }
  return { nextHop, distance, turned, dueMs };
}

/** When a node whose detour is not proven any more goes back to its direct link; Infinity: it does not for that reason. */
function goesHomeMs(target: Target, timers: MoveTimers, v: number, nowMs: number, options: IncumbencyOptions): number {
  if (target.turned[v] !== 1) timers.unprovenSinceMs[v] = Number.NaN;
  else if (Number.isNaN(timers.unprovenSinceMs[v])) timers.unprovenSinceMs[v] = nowMs;
  return target.turned[v] === 1 ? (timers.unprovenSinceMs[v] ?? nowMs) + options.settleMs : Number.POSITIVE_INFINITY;
}

/** Starts, keeps or stops the hold times of `v`; when the move is due, or Infinity when nothing is gained. */
function holdUntilMs(
  timers: MoveTimers,
  v: number,
  presentUs: number,
  candidateUs: number,
  nowMs: number,
  options: IncumbencyOptions,
): number {
  const gain = presentUs - candidateUs;
  const since = (array: Float64Array, wins: boolean): number => {
    if (!wins) array[v] = Number.NaN;
    else if (Number.isNaN(array[v])) array[v] = nowMs;
    return wins ? (array[v] ?? nowMs) : Number.POSITIVE_INFINITY;
  };
  const winsSince = since(timers.winsSinceMs, gain > moveMarginUs(presentUs, options));
  const settlesSince = since(timers.settlesSinceMs, gain > Math.max(options.settleUs, options.settleRatio * presentUs));
  const holdMs = candidateUs * 2 < presentUs ? options.fastHoldMs : options.holdMs;
  return Math.min(winsSince + holdMs, settlesSince + options.settleMs);
}

/** Moves nodes to their target until there is no loop and no disturbed node outside its margin; the costs that result. */
function settle(
  graph: CsrGraph,
  root: number,
  rules: SpfRules,
  target: Target,
  nextHop: Int32Array,
  disturbed: readonly number[],
  options: IncumbencyOptions,
): Float64Array {
  const hop = new Float64Array(graph.slotCount).fill(Number.POSITIVE_INFINITY);
  for (;;) {
    for (const v of graph.slots()) if (v !== root) hop[v] = hopCost(graph, root, rules, v, nextHop[v] ?? -1);
    const { cost, looping } = followAll(graph, root, nextHop, hop);
    let moved = false;
    const move = (v: number): void => {
      const best = target.nextHop[v] ?? -1;
      if (nextHop[v] === best) return;
      nextHop[v] = best;
      moved = true;
    };
    for (const v of looping) move(v);
    // what hangs off a loop is judged once the loop is gone
    if (moved) continue;
    for (const v of disturbed) {
      const least = target.distance[v] ?? Number.POSITIVE_INFINITY;
      if ((cost[v] ?? 0) > least + moveMarginUs(least, options)) move(v);
    }
    for (const v of graph.slots()) if (cost[v] === Number.POSITIVE_INFINITY) move(v);
    if (!moved) return cost;
  }
}

/** Cost of following next hops from every node to the root, and the nodes that never arrive because they go round. */
function followAll(
  graph: CsrGraph,
  root: number,
  nextHop: Int32Array,
  hop: Float64Array,
): { cost: Float64Array; looping: number[] } {
  const cost = new Float64Array(graph.slotCount).fill(Number.NaN);
  const mark = new Int32Array(graph.slotCount);
  const looping: number[] = [];
  cost[root] = 0;
  const walk: number[] = [];
  let round = 0;
  for (const start of graph.slots()) {
    round++;
    let v = start;
    walk.length = 0;
    while (Number.isNaN(cost[v]) && mark[v] !== round) {
      mark[v] = round;
      walk.push(v);
      if (hop[v] === Number.POSITIVE_INFINITY) break;
      v = nextHop[v] ?? -1;
    }
    const looped = Number.isNaN(cost[v]) && hop[v] !== Number.POSITIVE_INFINITY;
    if (looped) looping.push(...walk.slice(walk.indexOf(v)));
    let behind = Number.isNaN(cost[v]) ? Number.POSITIVE_INFINITY : (cost[v] ?? 0);
    for (let i = walk.length - 1; i >= 0; i--) {
      const u = walk[i] ?? 0;
      behind += hop[u] ?? 0;
      cost[u] = behind;
    }
  }
  return { cost, looping };
}
