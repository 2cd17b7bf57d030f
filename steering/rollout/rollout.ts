/**
 * Two-plane rollout of one destination's next hops (consistent update in two phases: Reitblatt et al., SIGCOMM 2012).
 *
 *            decided != committed
 *   idle ---------------------------> preparing      the next hops go to the transit nodes, on the idle plane
 *    ^                                   |           (or on the present one, if no transit row differs)
 *    |                                   | every transit node on a path holds its row
 *    |   present plane: at once          v
 *    +------------------------------ [commit]        the sources get the new first hops and plane
 *    |                                   | other plane
 *    |                                   v
 *    |                               switching       until every source that can be told holds its row
 *    |                                   v
 *    +------------------------------ draining        packets on the old plane arrive; then it gets the same rows
 *
 * At rest both planes hold the same transit rows. So a transit node that cannot be told (no session) can stay in use:
 * whichever plane comes next, its rows are there, as long as its own next hop stays.
 */
import type { PlaneName } from '../../protocol/route-table.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { otherPlane, rowKey, sourceRow, transitRow, transitTable } from '../rib/rib.ts';
import type { NodeTable } from './node-table.ts';

export interface RolloutOptions {
  /** Longest time a packet is expected to be on its way on the old plane: several times the longest RTT on earth. */
  readonly drainMs: number;
  /** The same when the committed next hops are broken and a repair waits: the longest one-way trip on earth. */
  readonly urgentDrainMs: number;
  /** Sources that do not answer are not waited for. */
  readonly ackTimeoutMs: number;
}

export const DEFAULT_ROLLOUT_OPTIONS: RolloutOptions = { drainMs: 1_000, urgentDrainMs: 250, ackTimeoutMs: 2_000 };

export type RolloutPhase = 'idle' | 'preparing' | 'switching' | 'draining';

/** Where rows go: the tables of the mesh, by slot. */
export interface Tables {
  readonly graph: CsrGraph;
  table(slot: number): NodeTable;
  /** The node keeps transit rows: it is willing to forward. */
  keepsTransitRows(slot: number): boolean;
}

export class Rollout {
  /** Stable index of the destination. */
  readonly destination: number;
  readonly #root: number;
  readonly #tables: Tables;
  readonly #options: RolloutOptions;
  #phase: RolloutPhase = 'idle';
  #plane: PlaneName = 'a';
  #target: PlaneName = 'a';
  #sinceMs = 0;
  /** Next hops by slot that the sources use (-1: direct as a last resort), that are decided, and that are prepared. */
  #committed: Int32Array = new Int32Array(0);
  #decided: Int32Array = new Int32Array(0);
  #prepared: Int32Array = new Int32Array(0);

  constructor(destination: number, root: number, tables: Tables, options: RolloutOptions) {
    this.destination = destination;
    this.#root = root;
    this.#tables = tables;
    this.#options = options;
  }

  get phase(): RolloutPhase {
    return this.#phase;
  }

  /** The plane of the sources' rows. */
  get plane(): PlaneName {
    return this.#plane;
  }

  committed(slot: number): number {
    return this.#committed[slot] ?? -1;
  }

  decided(slot: number): number {
    return this.#decided[slot] ?? -1;
  }

  /** What the sources are to use; a move of it is on its way unless idle. */
  decide(nextHop: Int32Array): void {
    this.#decided = nextHop.slice();
  }

  /** Makes room, and gives a slot that is new its first row: direct, until something is decided. */
  addNode(slot: number): void {
    this.#committed = set(this.#committed, slot, -1);
    this.#decided = set(this.#decided, slot, -1);
    this.#prepared = set(this.#prepared, slot, -1);
    this.#writeSource(slot);
  }

  /** Forgets a slot that is being removed, also as a next hop of others. */
  removeNode(slot: number): void {
    for (const nextHops of [this.#committed, this.#decided, this.#prepared]) {
      for (let v = 0; v < nextHops.length; v++) if (nextHops[v] === slot) nextHops[v] = -1;
      if (slot < nextHops.length) nextHops[slot] = -1;
    }
    for (const v of this.#tables.graph.slots()) this.#rewrite(v);
  }

  /** Writes all rows of a node anew: after its will to forward changed, or after an import. */
  rewrite(slot: number): void {
    this.#rewrite(slot);
  }

  /** Takes over what an earlier core had committed; sources may still be on either plane. */
  import(plane: PlaneName, committed: Int32Array, nowMs: number): void {
    this.#plane = plane;
    this.#committed = committed.slice();
    this.#decided = committed.slice();
    this.#prepared = committed.slice();
    this.#enter('switching', nowMs);
    for (const v of this.#tables.graph.slots()) {
      this.#writeSource(v);
      this.#writeTransit(v, plane, committed);
      // the other plane keeps what is there until no source uses it
      const held = this.#tables.table(v).certain(rowKey(transitTable(otherPlane(plane)), this.destination));
      if (held !== undefined && this.#isTransitSlot(v)) this.#tables.table(v).want(held);
    }
  }

  /** When `advance` has something to do without an acknowledgement. */
  get dueMs(): number {
    if (this.#phase === 'switching') return this.#sinceMs + this.#options.ackTimeoutMs;
    if (this.#phase === 'draining') return this.#sinceMs + this.#drainMs();
    return Number.POSITIVE_INFINITY;
  }

  /** Goes on as far as acknowledgements and time allow. True when the sources were given new next hops. */
  advance(nowMs: number): boolean {
    let committed = false;
    for (;;) {
      const before = this.#phase;
      if (before === 'idle') this.#begin(nowMs);
      else if (before === 'preparing') committed = this.#prepare(nowMs) || committed;
      else if (before === 'switching') this.#switch(nowMs);
      else this.#drain(nowMs);
      if (this.#phase === before) return committed;
    }
  }

  /** Every row that packets of `path` (slots) meet is held. */
  isInstalled(path: readonly number[]): boolean {
    const source = path[0] ?? 0;
    if (!this.#tables.table(source).holdsWanted(rowKey('source', this.destination))) return false;
    return path.slice(1, -1).every((slot) => this.#holdsTransit(slot, this.#plane));
  }

  /** Packets may pass through the slot: it is on a path, or a move that may have taken it off is not over. */
  meets(slot: number): boolean {
    return this.#phase !== 'idle' || this.#traversed(this.#committed).has(slot);
  }

  #begin(nowMs: number): void {
    if (!this.#differs(this.#decided, this.#committed, () => true)) return;
    const flips = this.#differs(this.#decided, this.#committed, (v) => this.#isTransitSlot(v));
    this.#target = flips ? otherPlane(this.#plane) : this.#plane;
    this.#prepared = this.#decided.slice();
    if (flips) for (const v of this.#tables.graph.slots()) this.#writeTransit(v, this.#target, this.#prepared);
    this.#enter('preparing', nowMs);
  }

  /** True when it committed. */
  #prepare(nowMs: number): boolean {
    if (this.#differs(this.#decided, this.#prepared, () => true)) {
      // nothing uses the target plane yet: start over with what is decided now
      this.#sync();
      this.#phase = 'idle';
      this.#begin(nowMs);
      if (this.#phase === 'idle') return false;
    }
    for (const v of this.#traversed(this.#prepared)) if (!this.#holdsTransit(v, this.#target)) return false;
    const flipped = this.#target !== this.#plane;
    this.#plane = this.#target;
    this.#committed = this.#prepared.slice();
    for (const v of this.#tables.graph.slots()) this.#writeSource(v);
    this.#enter(flipped ? 'switching' : 'idle', nowMs);
    return true;
  }

  #switch(nowMs: number): void {
    if (nowMs < this.#sinceMs + this.#options.ackTimeoutMs) {
      const key = rowKey('source', this.destination);
      for (const v of this.#tables.graph.slots()) {
        if (v === this.#root) continue;
        const table = this.#tables.table(v);
        if (!table.frozen && !table.holdsWanted(key)) return;
      }
    }
    this.#enter('draining', nowMs);
  }

  #drain(nowMs: number): void {
    if (nowMs < this.#sinceMs + this.#drainMs()) return;
    this.#sync();
    this.#enter('idle', nowMs);
  }

  #drainMs(): number {
    const { urgentDrainMs, drainMs } = this.#options;
    const graph = this.#tables.graph;
    const broken = this.#differs(this.#decided, this.#committed, (v) => {
      const hop = this.#committed[v] ?? -1;
      return hop >= 0 && graph.weight(v, hop) === Number.POSITIVE_INFINITY;
    });
    return broken ? Math.min(urgentDrainMs, drainMs) : drainMs;
  }

  #enter(phase: RolloutPhase, nowMs: number): void {
    this.#phase = phase;
    this.#sinceMs = nowMs;
  }

  /** The plane that is not in use gets the rows of the one that is. */
  #sync(): void {
    for (const v of this.#tables.graph.slots()) this.#writeTransit(v, otherPlane(this.#plane), this.#committed);
  }

  #rewrite(slot: number): void {
    this.#writeSource(slot);
    this.#writeTransit(slot, this.#plane, this.#committed);
    const flipping = this.#phase === 'preparing' && this.#target !== this.#plane;
    // while the old plane is draining its rows stay, unless the node has none there yet and so is on nobody's path
    const other = otherPlane(this.#plane);
    const draining = this.#phase === 'switching' || this.#phase === 'draining';
    const has = this.#tables.table(slot).wanted(rowKey(transitTable(other), this.destination)) !== undefined;
    if (draining && has && this.#isTransitSlot(slot)) return;
    this.#writeTransit(slot, other, flipping ? this.#prepared : this.#committed);
  }

  #writeSource(slot: number): void {
    if (slot === this.#root) return;
    const hop = this.#committed[slot] ?? -1;
    const index = hop < 0 ? 0 : this.#tables.graph.indexOf(hop);
    this.#tables.table(slot).want(sourceRow(this.destination, index, this.#plane));
  }

  #writeTransit(slot: number, plane: PlaneName, nextHops: Int32Array): void {
    if (slot === this.#root) return;
    const hop = nextHops[slot] ?? -1;
    const table = this.#tables.table(slot);
    if (hop < 0 || !this.#isTransitSlot(slot)) table.unwant(rowKey(transitTable(plane), this.destination));
    else table.want(transitRow(this.destination, this.#tables.graph.indexOf(hop), plane));
  }

  #holdsTransit(slot: number, plane: PlaneName): boolean {
    const key = rowKey(transitTable(plane), this.destination);
    const table = this.#tables.table(slot);
    return table.wanted(key) !== undefined && table.holdsWanted(key);
  }

  #isTransitSlot(slot: number): boolean {
    return slot !== this.#root && this.#tables.keepsTransitRows(slot);
  }

  #differs(a: Int32Array, b: Int32Array, where: (slot: number) => boolean): boolean {
    for (const v of this.#tables.graph.slots()) if ((a[v] ?? -1) !== (b[v] ?? -1) && where(v)) return true;
    return false;
  }

  /** Slots that others pass through. */
  #traversed(nextHops: Int32Array): Set<number> {
    const through = new Set<number>();
    for (const v of this.#tables.graph.slots()) {
      const hop = nextHops[v] ?? -1;
      if (hop >= 0 && hop !== this.#root) through.add(hop);
    }
    return through;
  }
}

function set(array: Int32Array, slot: number, value: number): Int32Array {
  const copy = slot < array.length ? array : new Int32Array(Math.max(16, slot * 2)).fill(-1);
  if (copy !== array) copy.set(array);
  copy[slot] = value;
  return copy;
}
