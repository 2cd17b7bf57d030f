/**
 * The rows towards one leaf in the tables of the transit nodes, changed in two phases as rollout/rollout.ts does it for a
 * transit node. The path to a leaf is the path to its home and one hop more, so the destination has no slot of its own:
 *
 *   idle -> preparing     rows on the idle plane, at all transit nodes on a path
 *        -> switching     the sources get the other plane; packets of the leaf's home go to it directly
 *        -> draining      packets on the old plane arrive; then it gets the same rows
 *
 * A home that the leaf leaves keeps the row by which it hands packets over until the old plane is empty.
 */
import type { PlaneName } from '../../protocol/route-table.ts';
import type { MeshState } from '../mesh-state.ts';
import { HopChoice } from '../rib/hop-choice.ts';
import { otherPlane, rowKey, sourceRow, transitRow, transitTable } from '../rib/rib.ts';
import type { RolloutPhase } from '../rollout/rollout.ts';

/** Stands for the leaf itself where a slot of the graph is expected: the next hop at its home. */
export const DELIVER = 0x7fff_fffe;

export class LeafRollout {
  /** Node index of the leaf. */
  readonly destination: number;
  readonly #mesh: MeshState;
  readonly #isLinkUp: (transit: number) => boolean;
  #phase: RolloutPhase = 'idle';
  #plane: PlaneName = 'a';
  #target: PlaneName = 'a';
  #sinceMs = 0;
  /** What the sources use, what is decided, and what is prepared. */
  #committed = new HopChoice();
  #decided = new HopChoice();
  #prepared = new HopChoice();

  /** `isLinkUp`: whether the leaf's link to a transit node (its index) works. */
  constructor(destination: number, mesh: MeshState, isLinkUp: (transit: number) => boolean) {
    this.destination = destination;
    this.#mesh = mesh;
    this.#isLinkUp = isLinkUp;
    for (const slot of mesh.graph.slots()) this.addNode(slot);
  }

  get phase(): RolloutPhase {
    return this.#phase;
  }

  /** The plane of the sources' rows. */
  get plane(): PlaneName {
    return this.#plane;
  }

  get committed(): HopChoice {
    return this.#committed;
  }

  get wanted(): HopChoice {
    return this.#decided;
  }

  /** What the sources are to use; a move of it is on its way unless idle. Owned by the rollout from now on. */
  decide(choice: HopChoice): void {
    this.#decided = choice;
  }

  /** Makes room for a transit node. */
  addNode(slot: number): void {
    for (const choice of this.#choices()) choice.addNode(slot);
  }

  /** Forgets a transit node that is being removed, also as a next hop of others. */
  removeNode(slot: number): void {
    for (const choice of this.#choices()) choice.removeNode(slot);
    for (const v of this.#mesh.graph.slots()) this.#rewrite(v);
  }

  /** Takes over what an earlier core had committed; sources may still be on either plane. */
  import(plane: PlaneName, committed: HopChoice, nowMs: number): void {
    this.#plane = plane;
    this.#committed = committed;
    this.#decided = committed.copy();
    this.#prepared = committed.copy();
    this.#enter('switching', nowMs);
    for (const v of this.#mesh.graph.slots()) {
      this.#writeSource(v);
      this.#writeTransit(v, plane, committed);
      // the other plane keeps what is there until no source uses it
      const held = this.#mesh.table(v).certain(rowKey(transitTable(otherPlane(plane)), this.destination));
      if (held !== undefined && this.#mesh.keepsTransitRows(v)) this.#mesh.table(v).want(held);
    }
  }

  /** When `advance` has something to do without an acknowledgement. */
  get dueMs(): number {
    if (this.#phase === 'switching') return this.#sinceMs + this.#mesh.options.rollout.ackTimeoutMs;
    if (this.#phase === 'draining') return this.#sinceMs + this.#drainMs();
    return Number.POSITIVE_INFINITY;
  }

  /** Goes on as far as acknowledgements and time allow. */
  advance(nowMs: number): void {
    for (;;) {
      const before = this.#phase;
      if (before === 'idle') this.#begin(nowMs);
      else if (before === 'preparing') this.#prepare(nowMs);
      else if (before === 'switching') this.#switch(nowMs);
      else if (nowMs >= this.#sinceMs + this.#drainMs()) {
        this.#sync();
        this.#enter('idle', nowMs);
      }
      if (this.#phase === before) return;
    }
  }

  /** Every row that packets of `path` (slots of transit nodes, the home last) meet is held. */
  isInstalled(path: readonly number[]): boolean {
    const [source = 0, ...others] = path;
    if (!this.#mesh.table(source).holdsWanted(rowKey('source', this.destination))) return false;
    return others.every((slot) => this.#holdsTransit(slot, this.#plane));
  }

  /** Packets may pass through the slot: it is on a path, or a move that may have taken it off is not over. */
  meets(slot: number): boolean {
    return this.#phase !== 'idle' || this.#traversed(this.#committed).has(slot);
  }

  #begin(nowMs: number): void {
    if (!this.#differs(this.#decided, this.#committed)) return;
    const flips = [...this.#mesh.graph.slots()].some(
      (v) => this.#mesh.keepsTransitRows(v) && !this.#decided.sameHopsAt(this.#committed, v),
    );
    this.#target = flips ? otherPlane(this.#plane) : this.#plane;
    this.#prepared = this.#decided.copy();
    if (flips) for (const v of this.#mesh.graph.slots()) this.#writeTransit(v, this.#target, this.#prepared);
    this.#enter('preparing', nowMs);
  }

  #prepare(nowMs: number): void {
    if (this.#differs(this.#decided, this.#prepared)) {
      // nothing uses the target plane yet: start over with what is decided now
      this.#sync();
      this.#phase = 'idle';
      this.#begin(nowMs);
      if (this.#phase === 'idle') return;
    }
    for (const v of this.#traversed(this.#prepared)) if (!this.#holdsTransit(v, this.#target)) return;
    const flipped = this.#target !== this.#plane;
    this.#plane = this.#target;
    this.#committed = this.#prepared.copy();
    for (const v of this.#mesh.graph.slots()) {
      this.#writeSource(v);
      if (flipped) continue;
      // nothing but weights may differ there
      this.#writeTransit(v, 'a', this.#committed);
      this.#writeTransit(v, 'b', this.#committed);
    }
    this.#enter(flipped ? 'switching' : 'idle', nowMs);
  }

  #switch(nowMs: number): void {
    if (nowMs < this.#sinceMs + this.#mesh.options.rollout.ackTimeoutMs) {
      const key = rowKey('source', this.destination);
      for (const v of this.#mesh.graph.slots()) {
        const table = this.#mesh.table(v);
        if (!table.frozen && !table.holdsWanted(key)) return;
      }
    }
    this.#enter('draining', nowMs);
  }

  #drainMs(): number {
    const { urgentDrainMs, drainMs } = this.#mesh.options.rollout;
    const { graph } = this.#mesh;
    const isBroken = (v: number, hop: number) =>
      hop === DELIVER ? !this.#isLinkUp(graph.indexOf(v)) : graph.weight(v, hop) === Number.POSITIVE_INFINITY;
    const waits = [...graph.slots()].some(
      (v) =>
        !this.#decided.equalAt(this.#committed, v) &&
        this.#committed.members(v).some((member) => isBroken(v, member.slot)),
    );
    return waits ? Math.min(urgentDrainMs, drainMs) : drainMs;
  }

  #enter(phase: RolloutPhase, nowMs: number): void {
    this.#phase = phase;
    this.#sinceMs = nowMs;
  }

  /** The plane that is not in use gets the rows of the one that is. */
  #sync(): void {
    for (const v of this.#mesh.graph.slots()) this.#writeTransit(v, otherPlane(this.#plane), this.#committed);
  }

  #rewrite(slot: number): void {
    this.#writeSource(slot);
    this.#writeTransit(slot, this.#plane, this.#committed);
    const flipping = this.#phase === 'preparing' && this.#target !== this.#plane;
    const draining = this.#phase === 'switching' || this.#phase === 'draining';
    const other = otherPlane(this.#plane);
    // while the old plane is draining its rows stay
    const has = this.#mesh.table(slot).wanted(rowKey(transitTable(other), this.destination)) !== undefined;
    if (draining && has && this.#mesh.keepsTransitRows(slot)) return;
    this.#writeTransit(slot, other, flipping ? this.#prepared : this.#committed);
  }

  /** A source without a next hop has no row: the leaf is nobody's neighbour but its transit nodes'. */
  #writeSource(slot: number): void {
    const hops = this.#neighbours(this.#committed, slot);
    const table = this.#mesh.table(slot);
    if (hops.length === 0) table.unwant(rowKey('source', this.destination));
    else table.want(sourceRow(this.destination, hops, this.#plane));
  }

  #writeTransit(slot: number, plane: PlaneName, choice: HopChoice): void {
    const hops = this.#neighbours(choice, slot);
    const table = this.#mesh.table(slot);
    if (hops.length === 0 || !this.#mesh.keepsTransitRows(slot)) {
      table.unwant(rowKey(transitTable(plane), this.destination));
    } else table.want(transitRow(this.destination, hops, plane));
  }

  #neighbours(choice: HopChoice, slot: number): { neighbour: number; weight: number }[] {
    const { graph } = this.#mesh;
    return choice.members(slot).map((member) => ({
      neighbour: member.slot === DELIVER ? this.destination : graph.indexOf(member.slot),
      weight: member.weight,
    }));
  }

  #holdsTransit(slot: number, plane: PlaneName): boolean {
    const key = rowKey(transitTable(plane), this.destination);
    const table = this.#mesh.table(slot);
    return table.wanted(key) !== undefined && table.holdsWanted(key);
  }

  #differs(a: HopChoice, b: HopChoice): boolean {
    for (const v of this.#mesh.graph.slots()) if (!a.equalAt(b, v)) return true;
    return false;
  }

  /** Slots that others' packets pass through: the home too. */
  #traversed(choice: HopChoice): Set<number> {
    const through = new Set<number>();
    for (const v of this.#mesh.graph.slots()) {
      for (const member of choice.members(v)) if (member.slot !== DELIVER) through.add(member.slot);
    }
    return through;
  }

  #choices(): readonly HopChoice[] {
    return [this.#committed, this.#decided, this.#prepared];
  }
}
