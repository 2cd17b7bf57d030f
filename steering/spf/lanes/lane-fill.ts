/**
 * One computation of all pairs, in rounds: the first rounds compute few rows, of nodes that many others are near to;
 * with these most arcs are found to be on no shortest path, and the last round, of nearly all rows, runs without them.
 * Before that one the paths to hubs are computed, which its rows take over (lane-hubs.as).
 */
import type { RowRules } from '../plain-rows.ts';
import { type KeyShape, writeGraph } from './lane-arcs.ts';
import type { LaneGraph } from './lane-graph.ts';
import { CONTROL, LANES, type LaneMemory } from './lane-memory.ts';
import { type BatchKernel, FAULT } from './lane-rows.ts';

/** Share of all sources that the rounds end at. Measured: one prune less is slower by a third, one more gains 3 %. */
const ROUND_ENDS = [0.02, 0.08, 0.2, 1] as const;
/** Fewer arcs per slot, or fewer slots: little to gain, and a round costs more than it saves. */
const PRUNED_DEGREE = 8;
const PRUNED_SLOTS = 256;

/** A round that drops a smaller share than this is the last one before the rest, and its arcs are not written anew. */
const WORTH_DROPPING = 0.05;

/** Paths to hubs are computed first when so many more trees are left than there are hubs; with fewer it costs what it saves. */
const FOLDED_PER_HUB = 1.5;

/** Keys have 31 bits, so that a sum of two is exact in 32; see laneLimits. */
const KEY_END = 2 ** 31;

export interface LaneLimits {
  readonly unreached: number;
  readonly unproven: number;
}

/** The limits of keys, or null when costs are too great for so many other bits. */
export function laneLimits(mostCost: number, { hopBits, rankBits }: KeyShape): LaneLimits | null {
  const unit = 2 ** (hopBits + rankBits);
  const mostKey = mostCost * unit + 2 ** (rankBits + 1) - 1;
  // no hop bits set, so that it is not taken for a path of many hops; rank 0
  const unreached = Math.floor((KEY_END - 1 - mostKey) / unit) * unit;
  // one arc more, and a path would be cut off at `unreached`
  const unproven = unreached - mostKey;
  return unproven > mostKey ? { unreached, unproven } : null;
}

/** Ranks leave room for paths of this many of the dearest arcs, as a guess; a path that is longer costs a second try. */
const GUESSED_ARCS = 2;

/** The shapes of keys to try in turn: all ranks that there is likely to be room for, then none. */
export function keyShapes(graph: LaneGraph, hopBits: number): KeyShape[] {
  const most = (rankBits: number): number => laneLimits(graph.mostCost, { hopBits, rankBits })?.unproven ?? 0;
  let rankBits = graph.rankBits;
  while (rankBits > 0 && most(rankBits) < GUESSED_ARCS * graph.mostCost * 2 ** (hopBits + rankBits)) rankBits--;
  return rankBits === 0
    ? [{ hopBits, rankBits }]
    : [
        { hopBits, rankBits },
        { hopBits, rankBits: 0 },
      ];
}

export class LaneFill {
  readonly #memory: LaneMemory;
  readonly #graph: LaneGraph;
  readonly #shape: KeyShape;
  readonly #sources: Int32Array;
  readonly #finished: Uint8Array;
  #ends: readonly number[];
  #round = 0;
  #batches = 0;
  /** The hubs' batches are being computed; the round itself is still to come. */
  #atHubs = false;

  /** Takes over the memory. `limits` are those of the graph's costs and the shape. */
  constructor(graph: LaneGraph, rules: RowRules, memory: LaneMemory, shape: KeyShape, limits: LaneLimits) {
    this.#memory = memory;
    this.#graph = graph;
    this.#shape = shape;
    this.#sources = graph.mostWanted;
    this.#finished = new Uint8Array(graph.slots);
    const worthPruning = graph.slots >= PRUNED_SLOTS && graph.arcCount >= PRUNED_DEGREE * graph.slots;
    const count = this.#sources.length;
    this.#ends = worthPruning ? ROUND_ENDS.map((share) => Math.ceil(share * count)) : [count];
    const { control, table } = memory;
    control[CONTROL.fault] = FAULT.none;
    control[CONTROL.hopBits] = shape.hopBits;
    control[CONTROL.rankBits] = shape.rankBits;
    control[CONTROL.unreached] = limits.unreached;
    control[CONTROL.unproven] = limits.unproven;
    control[CONTROL.transitHopUs] = rules.transitHopUs;
    control[CONTROL.hubs] = 0;
    control[CONTROL.columns] = 0;
    for (let slot = 0; slot < graph.slots; slot++) if (rules.graph.index[slot] === 0) table.clearRow(slot);
  }

  /** What a kernel found; FAULT.none when all is well so far. */
  get fault(): number {
    return this.#memory.control[CONTROL.fault] ?? 0;
  }

  /**
   * Prepares the next round, or what comes before it, for which `takeBatches` is then called by each thread. False when
   * all is done, or failed.
   */
  nextRound(): boolean {
    if (this.fault !== FAULT.none || this.#round === this.#ends.length) return false;
    if (this.#atHubs) {
      this.#atHubs = false;
      this.#startRound(false);
      return true;
    }
    const from = this.#ends[this.#round - 1] ?? 0;
    this.#prepareGraph();
    const slots = this.#graph.sortByPlace(this.#sources.slice(from, this.#ends[this.#round]));
    const { control } = this.#memory;
    control[CONTROL.foldedFrom] = this.#batches;
    for (let at = 0; at < slots.length; at += LANES) this.#writeBatch(slots.subarray(at, at + LANES));
    control[CONTROL.folded] = this.#batches - (control[CONTROL.foldedFrom] ?? 0);
    this.#atHubs = this.#round > 0 && this.#round + 1 === this.#ends.length && this.#foldsFor(slots.length);
    if (this.#atHubs) this.#writeHubs();
    this.#startRound(this.#atHubs);
    return true;
  }

  #foldsFor(count: number): boolean {
    return this.#graph.hubs > 0 && count > FOLDED_PER_HUB * this.#graph.hubs;
  }

  #writeHubs(): void {
    const { hubs, slotOf } = this.#graph;
    this.#memory.control[CONTROL.hubs] = hubs;
    for (let vertex = 0; vertex < hubs; vertex += LANES) this.#writeBatch(slotOf.subarray(vertex, vertex + LANES));
  }

  /** Hands out the batches of the hubs, which stand behind those of the round, or the round itself. */
  #startRound(columns: boolean): void {
    const { control } = this.#memory;
    const from = control[CONTROL.foldedFrom] ?? 0;
    const afterRound = from + (control[CONTROL.folded] ?? 0);
    control[CONTROL.columns] = columns ? 1 : 0;
    control[CONTROL.next] = columns ? afterRound : from;
    control[CONTROL.end] = columns ? this.#batches : afterRound;
    if (!columns) this.#round++;
  }

  #prepareGraph(): void {
    if (this.#round > 0 && !this.#graph.prune(this.#memory.table, this.#finished, WORTH_DROPPING)) {
      // most arcs are on shortest paths: a last round with all the others, the arcs as they are
      this.#ends = [...this.#ends.slice(0, this.#round), this.#sources.length];
      return;
    }
    writeGraph(this.#graph, this.#memory, this.#shape);
  }

  /** A batch that is not full repeats its last source: the same row is written twice. */
  #writeBatch(slots: Int32Array): void {
    const words = this.#memory.words(this.#memory.batch(this.#batches++));
    for (let lane = 0; lane < LANES; lane++) {
      const slot = slots[Math.min(lane, slots.length - 1)] ?? 0;
      words[lane] = this.#graph.vertexOf[slot] ?? 0;
      words[LANES + lane] = slot;
      this.#finished[slot] = 1;
    }
  }
}

/** Fills batches of the current round until none is left; any number of threads at once, each with its own kernel. */
export function takeBatches(memory: LaneMemory, kernel: BatchKernel): void {
  const { control } = memory;
  for (;;) {
    const batch = Atomics.add(control, CONTROL.next, 1);
    if (batch >= (control[CONTROL.end] ?? 0)) return;
    const fault = kernel.fill(batch);
    if (fault === FAULT.none) continue;
    Atomics.store(control, CONTROL.fault, fault);
    Atomics.store(control, CONTROL.next, control[CONTROL.end] ?? 0);
  }
}
