/**
 * The decision of incumbency.ts for those nodes alone for which it may be news: whose next hop is not the tree's, whose
 * direct link has a band, or who have a hold time. All others follow the tree and go on doing so. The same rules in the
 * same order, so the same result as `decideNextHops` over all nodes, which is its oracle; the work is that of the paths of
 * the nodes in question, not of the mesh.
 */
import type { CsrGraph } from '../graph/csr-graph.ts';
import { mayUse, type SpfRules } from '../spf/spf-tree.ts';
import type { TreeRow } from '../spf/tree-row.ts';
import type { HoldTimers } from './hold-times.ts';
import { type DirectBand, type IncumbencyOptions, moveMarginUs } from './incumbency.ts';

/** Everything that one decision is made from. `rules.inUse` holds the incumbents by slot. */
export interface MoveInput {
  readonly graph: CsrGraph;
  readonly root: number;
  readonly rules: SpfRules;
  readonly tree: TreeRow;
  /** Changed by the decision. */
  readonly timers: HoldTimers;
  readonly nowMs: number;
  readonly options: IncumbencyOptions;
  /** Of the link between a slot and the root; null: there is none. */
  readonly directBand: (slot: number) => DirectBand | null;
}

const NEVER = Number.POSITIVE_INFINITY;

export class MoveDecider {
  /** The slots that were decided on, in the order given, then those with hold times; and their next hops (-1: no path). */
  readonly slots: number[] = [];
  readonly hops: number[] = [];
  /** When a hold time ends that could move a node; Infinity: none runs. */
  dueMs = NEVER;
  #input: MoveInput | undefined;
  #round = 0;
  #walk = 0;
  /** By slot, valid where it equals #round: the slot is in question; it was decided; its present cost is known. */
  #asked = new Int32Array(0);
  #decidedAt = new Int32Array(0);
  #presentAt = new Int32Array(0);
  /** Where the slot should go, and what that costs; and where it goes, and what that is expected to cost. */
  #target = new Int32Array(0);
  #targetUs = new Float64Array(0);
  #turned = new Uint8Array(0);
  #hop = new Int32Array(0);
  #expectedUs = new Float64Array(0);
  #presentUs = new Float64Array(0);
  /** Of a walk along next hops: valid where it equals #walk. */
  #walked = new Int32Array(0);
  #stepUs = new Float64Array(0);
  /** By slot in question: what lies behind its next hop broke. */
  #disturbed = new Uint8Array(0);

  /**
   * Decides. `candidates` must hold every slot whose incumbent is not the tree's next hop and every one whose link to the
   * root has a band; it may hold others, the root and free slots too. Results stand in the fields until the next call.
   */
  decide(input: MoveInput, candidates: Iterable<number>): void {
    const { graph, root, timers } = input;
    this.#input = input;
    this.#begin(graph.slotCount, root);
    for (const slot of candidates) this.#ask(slot);
    for (const slot of timers.slots()) this.#ask(slot);
    for (const slot of this.slots) this.#follow(slot);
    this.#settle();
    for (const slot of this.slots) {
      const hop = this.#hop[slot] ?? -1;
      this.hops.push(hop);
      if (hop === -1 || hop === this.#target[slot]) timers.clear(slot);
    }
  }

  #begin(slotCount: number, root: number): void {
    if (this.#asked.length < slotCount) this.#grow(slotCount + (slotCount >> 1) + 16);
    this.#round++;
    this.slots.length = 0;
    this.hops.length = 0;
    this.dueMs = NEVER;
    this.#decidedAt[root] = this.#round;
    this.#targetUs[root] = 0;
    this.#expectedUs[root] = 0;
    this.#presentAt[root] = this.#round;
    this.#presentUs[root] = 0;
  }

  #ask(slot: number): void {
    const { graph, root } = this.#input as MoveInput;
    if (slot === root || this.#asked[slot] === this.#round || graph.indexOf(slot) === 0) return;
    this.#asked[slot] = this.#round;
    this.slots.push(slot);
    this.#target[slot] = -1;
    this.#hop[slot] = -1;
    this.#disturbed[slot] = 0;
  }

  /** Decides on what lies on the tree's way from a slot, from the root on. */
  #follow(slot: number): void {
    const { tree } = this.#input as MoveInput;
    const way: number[] = [];
    for (let v = slot; this.#decidedAt[v] !== this.#round; v = tree.hopOf(v)) {
      if (tree.hopOf(v) < 0) break;
      way.push(v);
    }
    for (let i = way.length - 1; i >= 0; i--) this.#decideOne(way[i] ?? 0);
  }

  #decideOne(v: number): void {
    const { tree, root } = this.#input as MoveInput;
    const ahead = tree.hopOf(v);
    const stepUs = tree.costOf(v) - tree.costOf(ahead);
    this.#decidedAt[v] = this.#round;
    this.#target[v] = ahead;
    // what is ahead may have been turned to its direct link
    this.#targetUs[v] = stepUs + (this.#targetUs[ahead] ?? 0);
    this.#turned[v] = 0;
    if (this.#asked[v] !== this.#round) {
      this.#hop[v] = ahead;
      this.#expectedUs[v] = stepUs + (this.#expectedUs[ahead] ?? 0);
      return;
    }
    this.#prove(v, ahead);
    const isTurned = this.#turned[v] === 1;
    const viaUs = isTurned ? (this.#targetUs[v] ?? 0) : stepUs + (this.#expectedUs[ahead] ?? 0);
    this.#weigh(v, isTurned ? root : ahead, viaUs);
  }

  /** Turns a node whose detour is not proven against its direct link to that. */
  #prove(v: number, ahead: number): void {
    const { root, timers, options, nowMs, rules, directBand } = this.#input as MoveInput;
    const halvesSinceMs = timers.get(v)?.halvesSinceMs ?? Number.NaN;
    if (!Number.isNaN(halvesSinceMs)) timers.open(v).halvesSinceMs = Number.NaN;
    if (ahead === root) return;
    const direct = this.#hopCost(v, root);
    const band = direct === NEVER ? null : directBand(v);
    const costUs = this.#targetUs[v] ?? 0;
    if (band === null || band.bottomUs >= band.topUs || costUs < band.bottomUs) return;
    const inUse = (rules.inUse[v] ?? -1) >= 0 && rules.inUse[v] !== root;
    if (inUse && costUs < band.bottomUs * (1 + options.leaveRatio)) return;
    if (costUs * 2 < band.leastUs) {
      if (inUse) return;
      const since = Number.isNaN(halvesSinceMs) ? nowMs : halvesSinceMs;
      timers.open(v).halvesSinceMs = since;
      if (nowMs >= since + options.believeMs) return;
      this.dueMs = Math.min(this.dueMs, since + options.believeMs);
    }
    this.#target[v] = root;
    this.#targetUs[v] = direct;
    this.#turned[v] = 1;
  }

  /** Whether the node moves to `candidate` now, or stays for the time being. */
  #weigh(v: number, candidate: number, viaUs: number): void {
    const { rules, timers, options, nowMs } = this.#input as MoveInput;
    const old = rules.inUse[v] ?? -1;
    this.#hop[v] = candidate;
    this.#expectedUs[v] = viaUs;
    if (old === candidate || this.#hopCost(v, old) === NEVER) {
      timers.clear(v);
      return;
    }
    const costUs = this.#present(v);
    if (costUs === NEVER) {
      // what lies behind the old next hop broke: keep it for now and look at the repaired path below
      this.#hop[v] = old;
      this.#disturbed[v] = 1;
      return;
    }
    const homeMs = this.#goesHomeMs(v);
    const untilMs = Math.min(homeMs, this.#holdUntilMs(v, costUs));
    const gains = homeMs <= nowMs || costUs - viaUs > Math.max(options.settleUs, options.settleRatio * costUs);
    if (untilMs <= nowMs && gains) {
      timers.clear(v);
      return;
    }
    this.#hop[v] = old;
    this.#expectedUs[v] = costUs;
    if (untilMs > nowMs) this.dueMs = Math.min(this.dueMs, untilMs);
  }

  /** When a node whose detour is not proven any more goes back to its direct link; Infinity: it does not for that reason. */
  #goesHomeMs(v: number): number {
    const { timers, nowMs, options } = this.#input as MoveInput;
    if (this.#turned[v] !== 1) {
      if (timers.get(v) !== undefined) timers.open(v).unprovenSinceMs = Number.NaN;
      return NEVER;
    }
    const times = timers.open(v);
    if (Number.isNaN(times.unprovenSinceMs)) times.unprovenSinceMs = nowMs;
    return times.unprovenSinceMs + options.settleMs;
  }

  /** Starts, keeps or stops the hold times; when the move is due, or Infinity when nothing is gained. */
  #holdUntilMs(v: number, presentUs: number): number {
    const { timers, nowMs, options } = this.#input as MoveInput;
    const leastUs = this.#targetUs[v] ?? 0;
    const gain = presentUs - leastUs;
    const wins = gain > moveMarginUs(presentUs, options);
    const settles = gain > Math.max(options.settleUs, options.settleRatio * presentUs);
    if (!wins && !settles && timers.get(v) === undefined) return NEVER;
    const times = timers.open(v);
    if (!wins) times.winsSinceMs = Number.NaN;
    else if (Number.isNaN(times.winsSinceMs)) times.winsSinceMs = nowMs;
    if (!settles) times.settlesSinceMs = Number.NaN;
    else if (Number.isNaN(times.settlesSinceMs)) times.settlesSinceMs = nowMs;
    const holdMs = leastUs * 2 < presentUs ? options.fastHoldMs : options.holdMs;
    return Math.min(
      wins ? times.winsSinceMs + holdMs : NEVER,
      settles ? times.settlesSinceMs + options.settleMs : NEVER,
    );
  }

  /** Moves kept nodes to their target until there is no loop and no disturbed node outside its margin. */
  #settle(): void {
    const { options } = this.#input as MoveInput;
    let kept = this.slots.filter((v) => this.#hop[v] !== this.#target[v]);
    const move = (v: number) => {
      this.#hop[v] = this.#target[v] ?? -1;
    };
    while (kept.length > 0) {
      const looping = kept.filter((v) => this.#isOnLoop(v));
      for (const v of looping) move(v);
      // what hangs off a loop is judged once the loop is gone
      if (looping.length === 0) {
        const astray = kept.filter((v) => {
          const costUs = this.#costOf(v);
          if (costUs === NEVER) return true;
          const leastUs = (this.#decidedAt[v] === this.#round ? this.#targetUs[v] : NEVER) ?? NEVER;
          return this.#disturbed[v] === 1 && costUs > leastUs + moveMarginUs(leastUs, options);
        });
        if (astray.length === 0) return;
        for (const v of astray) move(v);
      }
      kept = kept.filter((v) => this.#hop[v] !== this.#target[v]);
    }
  }

  /** Next hop as decided. */
  #nextOf(v: number): number {
    const { tree } = this.#input as MoveInput;
    return this.#asked[v] === this.#round ? (this.#hop[v] ?? -1) : tree.hopOf(v);
  }

  #isOnLoop(start: number): boolean {
    const { root } = this.#input as MoveInput;
    this.#walk++;
    let v = this.#step(start);
    while (v >= 0 && v !== root && v !== start && this.#walked[v] !== this.#walk) {
      this.#walked[v] = this.#walk;
      v = this.#step(v);
    }
    return v === start;
  }

  /** The next slot of the way as decided; -1: it ends here. */
  #step(v: number): number {
    const hop = this.#nextOf(v);
    if (hop < 0) return -1;
    return this.#asked[v] === this.#round && this.#hopCost(v, hop) === NEVER ? -1 : hop;
  }

  /** Cost of the way as decided, on which there is no loop; Infinity: it ends before the root. */
  #costOf(start: number): number {
    const { root, tree } = this.#input as MoveInput;
    let costUs = 0;
    for (let v = start; v !== root; ) {
      const hop = this.#nextOf(v);
      if (hop < 0) return NEVER;
      costUs += this.#asked[v] === this.#round ? this.#hopCost(v, hop) : tree.costOf(v) - tree.costOf(hop);
      if (costUs === NEVER) return NEVER;
      v = hop;
    }
    return costUs;
  }

  /** Cost of following the incumbents from a slot; Infinity: the way breaks off or goes round. */
  #present(start: number): number {
    const { rules } = this.#input as MoveInput;
    this.#walk++;
    const way: number[] = [];
    let v = start;
    while (this.#presentAt[v] !== this.#round && this.#walked[v] !== this.#walk) {
      this.#walked[v] = this.#walk;
      way.push(v);
      const stepUs = this.#incumbentStepUs(v);
      this.#stepUs[v] = stepUs;
      if (stepUs === NEVER) break;
      v = rules.inUse[v] ?? -1;
    }
    let behindUs = this.#presentAt[v] === this.#round ? (this.#presentUs[v] ?? 0) : NEVER;
    for (let i = way.length - 1; i >= 0; i--) {
      const u = way[i] ?? 0;
      behindUs += this.#stepUs[u] ?? 0;
      this.#presentUs[u] = behindUs;
      this.#presentAt[u] = this.#round;
    }
    return this.#presentUs[start] ?? NEVER;
  }

  #incumbentStepUs(v: number): number {
    const { rules, tree } = this.#input as MoveInput;
    const hop = tree.hopOf(v);
    if (this.#asked[v] === this.#round || hop < 0) return this.#hopCost(v, rules.inUse[v] ?? -1);
    return tree.costOf(v) - tree.costOf(hop);
  }

  /** What a hop towards the root costs: the link and, unless it ends there, the transit price. Infinity: not usable. */
  #hopCost(from: number, to: number): number {
    const { graph, root, rules } = this.#input as MoveInput;
    if (to < 0 || !mayUse(graph, root, rules, from, to)) return NEVER;
    return graph.weight(from, to) + (to === root ? 0 : rules.transitHopUs);
  }

  #grow(length: number): void {
    // nothing is kept from decision to decision
    this.#round = 0;
    this.#walk = 0;
    const ints = () => new Int32Array(length);
    const doubles = () => new Float64Array(length);
    [this.#asked, this.#decidedAt, this.#presentAt, this.#target] = [ints(), ints(), ints(), ints()];
    [this.#hop, this.#walked] = [ints(), ints()];
    [this.#turned, this.#disturbed] = [new Uint8Array(length), new Uint8Array(length)];
    [this.#targetUs, this.#expectedUs, this.#presentUs, this.#stepUs] = [doubles(), doubles(), doubles(), doubles()];
  }
}
