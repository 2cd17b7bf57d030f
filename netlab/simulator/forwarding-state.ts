/**
 * What all nodes forward by at each moment, and a check of every change of it: no packet may go round in a loop or reach
 * a node that has no row for it. A packet's source row names a plane, or the destination itself; from then on it follows
 * the transit rows of that plane. Links and nodes that are broken are somebody else's business (see PathQuality).
 *
 * After a change only what can have gone wrong is looked at: a node's own packets where its source row changed, and all
 * packets on a plane towards a destination where a transit row changed on a plane that somebody's packets are on.
 */
import type { RouteDelta } from '../../protocol/route-table.ts';
import { RowDelta } from '../../steering/rollout/row-delta.ts';
import { KINDS, NO_CONTENT, RowDictionary } from '../../steering/rollout/row-dictionary.ts';

/** `dark`: the packet dies at a node without power. */
export type Fate = 'delivered' | 'loop' | 'no_row' | 'dark';

/** Wrong forwarding: packets of `from` for `to`. Nodes are numbers from 0. */
export interface Fault {
  readonly fate: 'loop' | 'no_row';
  readonly from: number;
  readonly to: number;
  readonly path: readonly number[];
}

const NONE = -1;

export class ForwardingState {
  readonly size: number;
  /** Times that the fate of a (source, destination) pair was looked at. */
  checks = 0;
  /** Next hop by table, then `node * size + destination`. */
  readonly #hops: readonly Int32Array[];
  /** 0: direct; 1 and 2: plane a and b. Of source rows. */
  readonly #plane: Uint8Array;
  /** Sources on a plane, by `(plane - 1) * size + destination`. */
  readonly #onPlane: Int32Array;
  readonly #member: Uint8Array;
  readonly #dark: Uint8Array;

  constructor(size: number) {
    this.size = size;
    this.#hops = [0, 1, 2].map(() => new Int32Array(size * size).fill(NONE));
    this.#plane = new Uint8Array(size * size);
    this.#onPlane = new Int32Array(2 * size);
    this.#member = new Uint8Array(size);
    this.#dark = new Uint8Array(size);
  }

  /** The node is one of the mesh: others' packets to it count. */
  setMember(node: number, isMember: boolean): void {
    this.#member[node] = isMember ? 1 : 0;
  }

  /** Without power a node forwards nothing; its rows come back with it. */
  setPower(node: number, on: boolean): void {
    this.#dark[node] = on ? 0 : 1;
  }

  isMember(node: number): boolean {
    return this.#member[node] === 1;
  }

  /** The node's kernel now holds what the delta makes of its table. Node n has index n + 1. Returns what went wrong. */
  apply(node: number, delta: RouteDelta): Fault[] {
    const sources: number[] = [];
    const transits: { plane: number; to: number }[] = [];
    const note = (table: number, to: number, next: number, plane: number) => {
      if (!this.#write(node, table, to, next, plane)) return;
      if (table === 0) sources.push(to);
      else transits.push({ plane: table, to });
    };
    const rows = delta instanceof RowDelta ? delta : RowDelta.of(new RowDictionary(), delta);
    const { cells, contents, dictionary } = rows;
    if (delta.full) for (const { table, to } of this.#others(node, rows)) note(table, to, NONE, 0);
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] ?? 0;
      const to = dictionary.destinationOf(cell) - 1;
      const content = contents[i] ?? NO_CONTENT;
      if (content === NO_CONTENT) {
        note(cell % KINDS, to, NONE, 0);
        continue;
      }
      const { plane, nextHops } = dictionary.contentAt(content);
      if (nextHops.length !== 1) throw new Error(`row for ${to + 1}: groups are not simulated`);
      note(cell % KINDS, to, (nextHops[0]?.neighbour ?? 0) - 1, plane === null ? 0 : plane === 'a' ? 1 : 2);
    }
    const faults: Fault[] = [];
    for (const to of sources) this.#check(node, to, faults);
    for (const { plane, to } of transits) this.#checkPlane(plane, to, faults);
    return faults;
  }

  /** The node has no rows any more. */
  clear(node: number): void {
    for (let to = 0; to < this.size; to++) for (const table of [0, 1, 2]) this.#write(node, table, to, NONE, 0);
  }

  /** Some row of the node sends to the peer, towards a node that is there. */
  pointsAt(node: number, peer: number): boolean {
    if (this.#member[node] !== 1 || this.#member[peer] !== 1) return false;
    return this.#hops.some((hops) => {
      for (let to = 0; to < this.size; to++) {
        if (hops[node * this.size + to] === peer && this.#member[to] === 1) return true;
      }
      return false;
    });
  }

  /** Looks at every pair. */
  checkAll(): Fault[] {
    const faults: Fault[] = [];
    for (let to = 0; to < this.size; to++) for (let from = 0; from < this.size; from++) this.#check(from, to, faults);
    return faults;
  }

  /** Nodes that a packet passes, source and destination included; `fate` says whether it arrives. */
  path(from: number, to: number): { readonly fate: Fate; readonly path: number[] } {
    const path = [from];
    const row = from * this.size + to;
    let next = this.#hops[0]?.[row] ?? NONE;
    if (next === NONE) return { fate: 'no_row', path };
    const transit = this.#hops[this.#plane[row] ?? 0];
    while (path.length <= this.size) {
      path.push(next);
      if (this.#dark[next] === 1) return { fate: 'dark', path };
      if (next === to) return { fate: 'delivered', path };
      next = transit === this.#hops[0] ? NONE : (transit?.[next * this.size + to] ?? NONE);
      if (next === NONE) return { fate: 'no_row', path };
    }
    return { fate: 'loop', path };
  }

  /** Rows that a full table does away with. */
  #others(node: number, { cells, dictionary }: RowDelta): { table: number; to: number }[] {
    const keep = new Set<number>();
    for (const cell of cells) keep.add((cell % KINDS) * this.size + dictionary.destinationOf(cell) - 1);
    return this.#hops.flatMap((hops, table) =>
      [...hops.subarray(node * this.size, (node + 1) * this.size).entries()]
        .filter(([to, next]) => next !== NONE && !keep.has(table * this.size + to))
        .map(([to]) => ({ table, to })),
    );
  }

  /** Writes one row; true when that changed something. */
  #write(node: number, table: number, to: number, next: number, plane: number): boolean {
    const at = node * this.size + to;
    const hops = this.#hops[table] as Int32Array;
    if (table !== 0) {
      if (hops[at] === next) return false;
      hops[at] = next;
      return true;
    }
    const before = this.#plane[at] ?? 0;
    if (hops[at] === next && before === plane) return false;
    hops[at] = next;
    this.#plane[at] = plane;
    if (before !== 0) this.#count(before, to, -1);
    if (plane !== 0) this.#count(plane, to, 1);
    return true;
  }

  #count(plane: number, to: number, by: number): void {
    const at = (plane - 1) * this.size + to;
    this.#onPlane[at] = (this.#onPlane[at] ?? 0) + by;
  }

  #check(from: number, to: number, faults: Fault[]): void {
    if (from === to || this.#member[from] !== 1 || this.#member[to] !== 1 || this.#dark[from] === 1) return;
    // a node that was told nothing yet sends to its peers directly
    if ((this.#hops[0]?.[from * this.size + to] ?? NONE) === NONE) return;
    this.checks++;
    const { fate, path } = this.path(from, to);
    if (fate === 'delivered' || fate === 'dark') return;
    faults.push({ fate, from, to, path });
  }

  #checkPlane(plane: number, to: number, faults: Fault[]): void {
    if (this.#onPlane[(plane - 1) * this.size + to] === 0) return;
    for (let from = 0; from < this.size; from++) {
      if (this.#plane[from * this.size + to] === plane) this.#check(from, to, faults);
    }
  }
}
