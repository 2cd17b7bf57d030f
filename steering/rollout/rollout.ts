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
 * A change of weights alone needs no other plane: the same next hops cannot loop, whoever has the new weights already. So
 * kernels move as few flows as the weights ask for.
 *
 * At rest both planes hold the same transit rows. So a transit node that cannot be told (no session) can stay in use:
 * whichever plane comes next, its rows are there, as long as its own next hop stays.
 */
import type { NextHop, PlaneName } from '../../protocol/route-table.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { HopChoice, NO_SPREAD, type Spread } from '../rib/hop-choice.ts';
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
  /** Next hops that the sources use (none: direct as a last resort), that are decided, and that are prepared. */
  #committed = new HopChoice();
  #decided = new HopChoice();
  #prepared = new HopChoice();

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

  /** What the sources use. */
  get committed(): HopChoice {
    return this.#committed;
  }

  /** What the sources are to use. */
  get wanted(): HopChoice {
    return this.#decided;
  }

  /** The one next hop that was decided, whether or not a group stands in for it. */
  decided(slot: number): number {
    return this.#decided.nextHop(slot);
  }

  /** What the sources are to use: a group where `spread` has one. A move of it is on its way unless idle. */
  decide(nextHop: Int32Array, spread: Spread = NO_SPREAD): void {
    this.#decided = new HopChoice(nextHop, spread);
  }

  /** Makes room, and gives a slot that is new its first row: direct, until something is decided. */
  addNode(slot: number): void {
    this.#committed = this.#committed.withNode(slot);
    this.#decided = this.#decided.withNode(slot);
    this.#prepared = this.#prepared.withNode(slot);
    this.#writeSource(slot);
  }

  /** Forgets a slot that is being removed, also as a next hop of others. */
  removeNode(slot: number): void {
    this.#committed = this.#committed.withoutNode(slot);
    this.#decided = this.#decided.withoutNode(slot);
    this.#prepared = this.#prepared.withoutNode(slot);
    for (const v of this.#tables.graph.slots()) this.#rewrite(v);
  }

  /** Writes all rows of a node anew: after its will to forward changed, or after an import. */
  rewrite(slot: number): void {
    this.#rewrite(slot);
  }

  /** Takes over what an earlier core had committed; sources may still be on either plane. */
  import(plane: PlaneName, committed: HopChoice, nowMs: number): void {
    this.#plane = plane;
    this.#committed = committed;
    this.#decided = committed;
    this.#prepared = committed;
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
    if (!this.#differs(this.#decided, this.#committed)) return;
    const flips = this.#turns(this.#decided, this.#committed);
    this.#target = flips ? otherPlane(this.#plane) : this.#plane;
    this.#prepared = this.#decided;
    if (flips) for (const v of this.#tables.graph.slots()) this.#writeTransit(v, this.#target, this.#prepared);
    this.#enter('preparing', nowMs);
  }

  /** True when it committed. */
  #prepare(nowMs: number): boolean {
    if (this.#differs(this.#decided, this.#prepared)) {
      // nothing uses the target plane yet: start over with what is decided now
      this.#sync();
      this.#phase = 'idle';
      this.#begin(nowMs);
      if (this.#phase === 'idle') return false;
    }
    for (const v of this.#traversed(this.#prepared)) if (!this.#holdsTransit(v, this.#target)) return false;
    const flipped = this.#target !== this.#plane;
    this.#plane = this.#target;
    this.#committed = this.#prepared;
    for (const v of this.#tables.graph.slots()) {
      this.#writeSource(v);
      if (flipped) continue;
      // nothing but weights may differ there
      this.#writeTransit(v, 'a', this.#committed);
      this.#writeTransit(v, 'b', this.#committed);
    }
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
    const broken = [...graph.slots()].some(
      (v) =>
        !this.#decided.equalAt(this.#committed, v) &&
        this.#committed.members(v).some(({ slot }) => graph.weight(v, slot) === Number.POSITIVE_INFINITY),
    );
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
    const hops = this.#neighbours(this.#committed, slot);
    this.#tables.table(slot).want(sourceRow(this.destination, hops, this.#plane));
  }

  #writeTransit(slot: number, plane: PlaneName, choice: HopChoice): void {
    if (slot === this.#root) return;
    const hops = this.#neighbours(choice, slot);
    const table = this.#tables.table(slot);
    if (hops.length === 0 || !this.#isTransitSlot(slot)) table.unwant(rowKey(transitTable(plane), this.destination));
    else table.want(transitRow(this.destination, hops, plane));
  }

  #neighbours(choice: HopChoice, slot: number): NextHop[] {
    const { graph } = this.#tables;
    return choice.members(slot).map((member) => ({ neighbour: graph.indexOf(member.slot), weight: member.weight }));
  }

  #holdsTransit(slot: number, plane: PlaneName): boolean {
    const key = rowKey(transitTable(plane), this.destination);
    const table = this.#tables.table(slot);
    return table.wanted(key) !== undefined && table.holdsWanted(key);
  }

  #isTransitSlot(slot: number): boolean {
    return slot !== this.#root && this.#tables.keepsTransitRows(slot);
  }

  #differs(a: HopChoice, b: HopChoice): boolean {
    for (const v of this.#tables.graph.slots()) if (!a.equalAt(b, v)) return true;
    return false;
  }

  /** A transit node gets another next hop: packets must not meet old and new rows on their way. */
  #turns(a: HopChoice, b: HopChoice): boolean {
    for (const v of this.#tables.graph.slots()) if (!a.sameHopsAt(b, v) && this.#isTransitSlot(v)) return true;
    return false;
  }

  /** Slots that others pass through. */
  #traversed(choice: HopChoice): Set<number> {
    const through = new Set<number>();
    for (const v of this.#tables.graph.slots()) {
      for (const { slot } of choice.members(v)) if (slot !== this.#root) through.add(slot);
    }
    return through;
  }
}
