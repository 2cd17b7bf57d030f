/**
 * Best paths over everything that was ever measured, from a sample of the nodes: how long the known way is, and how many
 * best ways use each measured link.
 */
import { DelayHeap } from './delay-heap.ts';
import type { LinkTable } from './link-table.ts';

export class KnownPaths {
  readonly #table: LinkTable;
  readonly #row: Int32Array;
  readonly #distance: Float64Array[];
  /** By position in the table: best ways over the link, both directions added at both positions; scaled to all sources. */
  readonly usage: Float64Array;

  /** `sources`: slots from which paths are computed. Work: one Dijkstra over all measured links each. */
  constructor(table: LinkTable, sources: readonly number[]) {
    this.#table = table;
    const n = table.nodeCount;
    this.#row = new Int32Array(n).fill(-1);
    this.usage = new Float64Array(table.peer.length);
    const search = new Dijkstra(table);
    this.#distance = sources.map((source, row) => {
      this.#row[source] = row;
      return search.run(source, this.usage);
    });
    const scale = sources.length === 0 ? 0 : n / sources.length;
    for (let v = 0; v < n; v++) {
      for (let k = table.start[v] ?? 0; k < (table.start[v + 1] ?? 0); k++) {
        const w = table.peer[k] ?? 0;
        if (w < v) continue;
        const back = positionOf(table, w, v);
        const both = scale * ((this.usage[k] ?? 0) + (this.usage[back] ?? 0));
        this.usage[k] = both;
        this.usage[back] = both;
      }
    }
  }

  /** Length of the best known way in microseconds. Infinity: none. NaN: neither end is in the sample. */
  distanceUs(a: number, b: number): number {
    const row = this.#row[a] ?? -1;
    if (row >= 0) return this.#distance[row]?.[b] ?? Number.POSITIVE_INFINITY;
    const other = this.#row[b] ?? -1;
    return other < 0 ? Number.NaN : (this.#distance[other]?.[a] ?? Number.POSITIVE_INFINITY);
  }

  /** All distances from a slot of the sample; undefined for others. Not to be changed. */
  distancesFrom(slot: number): Float64Array | undefined {
    const row = this.#row[slot] ?? -1;
    return row < 0 ? undefined : this.#distance[row];
  }

  /** True when a way of two or more measured links is shorter than `limitUs`; without a sample only two links are tried. */
  beats(a: number, b: number, limitUs: number): boolean {
    const known = this.distanceUs(a, b);
    if (!Number.isNaN(known)) return known < limitUs;
    const t = this.#table;
    let [i, j] = [t.start[a] ?? 0, t.start[b] ?? 0];
    const [toI, toJ] = [t.start[a + 1] ?? 0, t.start[b + 1] ?? 0];
    while (i < toI && j < toJ) {
      const [p, q] = [t.peer[i] ?? 0, t.peer[j] ?? 0];
      if (p === q && (t.rtt[i] ?? 0) + (t.rtt[j] ?? 0) < limitUs) return true;
      if (p <= q) i++;
      if (q <= p) j++;
    }
    return false;
  }
}

export function positionOf(table: LinkTable, slot: number, peer: number): number {
  let [low, high] = [table.start[slot] ?? 0, (table.start[slot + 1] ?? 0) - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((table.peer[middle] ?? 0) < peer) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Dijkstra with a binary heap whose entries may be stale; ties fall to the lesser slot. */
class Dijkstra {
  readonly #table: LinkTable;
  readonly #heap: DelayHeap;
  readonly #order: Int32Array;
  readonly #via: Int32Array;
  readonly #above: Int32Array;
  readonly #below: Float64Array;

  constructor(table: LinkTable) {
    this.#table = table;
    this.#heap = new DelayHeap();
    this.#order = new Int32Array(table.nodeCount);
    this.#via = new Int32Array(table.nodeCount);
    this.#above = new Int32Array(table.nodeCount);
    this.#below = new Float64Array(table.nodeCount);
  }

  run(source: number, usage: Float64Array): Float64Array {
    const t = this.#table;
    const distance = new Float64Array(t.nodeCount).fill(Number.POSITIVE_INFINITY);
    distance[source] = 0;
    this.#heap.clear();
    this.#heap.push(0, source);
    let settled = 0;
    while (this.#heap.size > 0) {
      const [us, v] = [this.#heap.leastKey, this.#heap.pop()];
      if (us > (distance[v] ?? 0)) continue;
      this.#order[settled++] = v;
      for (let k = t.start[v] ?? 0; k < (t.start[v + 1] ?? 0); k++) {
        const w = t.peer[k] ?? 0;
        const through = us + (t.rtt[k] ?? 0);
        if (through >= (distance[w] ?? 0)) continue;
        distance[w] = through;
        this.#via[w] = k;
        this.#above[w] = v;
        this.#heap.push(through, w);
      }
    }
    // leaves first: what hangs below a link uses it
    this.#below.fill(0);
    for (let i = settled - 1; i > 0; i--) {
      const v = this.#order[i] ?? 0;
      const k = this.#via[v] ?? 0;
      const carried = (this.#below[v] ?? 0) + 1;
      usage[k] = (usage[k] ?? 0) + carried;
      const above = this.#above[v] ?? 0;
      this.#below[above] = (this.#below[above] ?? 0) + carried;
    }
    return distance;
  }
}
