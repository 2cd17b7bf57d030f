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
 * At rest both planes hold the same transit rows. So a transit node that cannot be told can stay in use: whichever plane
 * comes next, its rows are there, as long as its own next hop stays.
 *
 * Work follows what changes: kept are the slots whose decision is not what is committed, those whose rows on the two planes
 * may differ, and those whose answer is waited for. Only a commit on the other plane touches every source.
 */
import type { PlaneName } from '../../protocol/route-table.ts';
import type { BackupChoice } from '../rib/backup-choice.ts';
import { HopChoice, type Spread, type SpreadMember, sameMembers } from '../rib/hop-choice.ts';
import { otherPlane, rowKey, transitTable } from '../rib/rib.ts';
import { AwaitedRows } from './awaited-rows.ts';
import { DestinationBackups } from './destination-backups.ts';
import { DestinationRows } from './destination-rows.ts';
import { drainTimeMs } from './drain-time.ts';
import type { RolloutOptions } from './rollout-options.ts';
import type { Tables } from './tables.ts';

export type RolloutPhase = 'idle' | 'preparing' | 'switching' | 'draining';

const NO_CHANGES: readonly number[] = [];

export class Rollout {
  /** Stable index of the destination. */
  readonly destination: number;
  readonly #root: number;
  readonly #tables: Tables;
  readonly #rows: DestinationRows;
  /** Rows without which the phase does not go on. */
  readonly #awaited: AwaitedRows;
  readonly #backups: DestinationBackups;
  readonly #options: RolloutOptions;
  #phase: RolloutPhase = 'idle';
  #plane: PlaneName = 'a';
  #target: PlaneName = 'a';
  #sinceMs = 0;
  #passMs = 0;
  /** Next hops that the sources use (none: direct as a last resort), and that are decided. */
  #committed = new HopChoice();
  #decided = new HopChoice();
  /** Slots whose decided next hops may not be the committed ones; some may stand there twice. */
  #moved: number[] = [];
  /** What is being prepared, by slot, where it differs from what is committed. */
  #prepared = new Map<number, readonly SpreadMember[]>();
  /** A decision came since they were taken. */
  #reconsider = false;
  /** Slots whose transit rows on the plane that is not in use may differ from those on the one that is; null: any. */
  #astray: number[] | null = [];
  /** Slots whose committed next hop changed since `takeChanged`. */
  #changed: number[] = [];
  #broken = false;
  #brokenAt = -1;

  constructor(destination: number, root: number, tables: Tables, options: RolloutOptions) {
    this.destination = destination;
    this.#root = root;
    this.#tables = tables;
    this.#rows = new DestinationRows(destination, root, tables);
    this.#awaited = new AwaitedRows(root, tables, this.#rows);
    this.#backups = new DestinationBackups(root, tables);
    this.#options = options;
  }

  get phase(): RolloutPhase {
    return this.#phase;
  }

  get plane(): PlaneName {
    return this.#plane;
  }

  /** What the sources use. */
  get committed(): HopChoice {
    return this.#committed;
  }

  get backups(): BackupChoice {
    return this.#backups.committed;
  }

  /** What the sources are to use. */
  get wanted(): HopChoice {
    return this.#decided;
  }

  /** The one next hop that was decided, whether or not a group stands in for it. */
  decided(slot: number): number {
    return this.#decided.nextHop(slot);
  }

  /** Calls back with each slot that packets of `slot` may be sent to, now or when what is decided has been carried out. */
  eachNextHop(slot: number, visit: (hop: number) => void): void {
    for (const hops of [this.#committed, this.#decided]) {
      if (hops.spread.has(slot)) for (const member of hops.members(slot)) visit(member.slot);
      else if (hops.nextHop(slot) >= 0) visit(hops.nextHop(slot));
    }
    for (const member of this.#prepared.get(slot) ?? []) visit(member.slot);
    this.#backups.each(slot, visit);
  }

  get hasChanged(): boolean {
    return this.#changed.length > 0;
  }

  /** Slots whose committed next hops changed since the last call; some may stand there twice. */
  takeChanged(): readonly number[] {
    const changed = this.#changed;
    if (changed.length === 0) return NO_CHANGES;
    this.#changed = [];
    return changed;
  }

  /** The one next hop that the source at `slot` is to use; a move of it is on its way unless idle. */
  decide(slot: number, hop: number): void {
    if (this.#decided.nextHop(slot) === hop) return;
    this.#decided.set(slot, hop);
    this.#note(slot);
  }

  /** Groups that sources are to use in the place of their one next hop. */
  decideSpread(spread: Spread): void {
    const before = this.#decided.spread;
    if (before === spread) return;
    this.#decided.spread = spread;
    for (const slot of before.keys()) this.#note(slot);
    for (const slot of spread.keys()) this.#note(slot);
  }

  /** Makes room, and gives a slot that is new its first row: direct, until something is decided. */
  addNode(slot: number): void {
    this.#committed.addNode(slot);
    this.#decided.addNode(slot);
    this.#writeSource(slot);
  }

  /** Forgets a slot that is being removed, also as a next hop of others. */
  removeNode(slot: number): void {
    const others = new Set(this.#astray ?? NO_CHANGES);
    for (const v of this.#committed.removeNode(slot)) {
      others.add(v);
      this.#changed.push(v);
      this.#astray?.push(v);
      this.#moved.push(v);
    }
    for (const v of this.#decided.removeNode(slot)) {
      others.add(v);
      this.#moved.push(v);
    }
    this.#prepared.delete(slot);
    for (const [v, members] of this.#prepared) {
      const kept = members.filter((member) => member.slot !== slot);
      if (kept.length === members.length) continue;
      this.#prepared.set(v, kept);
      others.add(v);
    }
    for (const v of this.#backups.remove(slot)) {
      others.add(v);
      this.#astray?.push(v);
    }
    const without = (slots: number[]) => (slots.includes(slot) ? slots.filter((v) => v !== slot) : slots);
    this.#moved = without(this.#moved);
    this.#changed = without(this.#changed);
    if (this.#astray !== null) this.#astray = without(this.#astray);
    // who went through it alone is not waited for any more
    this.#awaited.reset();
    this.#reconsider = true;
    this.#brokenAt = -1;
    for (const v of this.#tables.retiringSlots()) others.add(v);
    others.delete(slot);
    for (const v of this.#astray === null ? this.#tables.graph.slots() : others) this.rewrite(v);
  }

  /** Looks again at the backups of these slots, or of all (null), once no move is on its way. */
  renewBackups(slots: ReadonlySet<number> | null): void {
    this.#backups.note(slots);
    if (this.#phase === 'idle') this.#renewBackups();
  }

  /** Writes all rows of a node anew: after its will to forward changed, or after its next hop was removed. */
  rewrite(slot: number): void {
    this.#writeSource(slot);
    this.#rows.writeTransit(slot, this.#plane, this.#committed.members(slot), this.#backups.committed);
    const flipping = this.#phase === 'preparing' && this.#target !== this.#plane;
    // while the old plane is draining its rows stay, unless the node has none there yet and so is on nobody's path
    const other = otherPlane(this.#plane);
    const draining = this.#phase === 'switching' || this.#phase === 'draining';
    const has = this.#rows.wantsTransit(slot, other);
    if (draining && has && this.#rows.isTransit(slot)) return;
    const prepared = flipping ? this.#prepared.get(slot) : undefined;
    const backups = flipping ? this.#backups.prepared : this.#backups.committed;
    this.#rows.writeTransit(slot, other, prepared ?? this.#committed.members(slot), backups);
  }

  /** Takes over what an earlier core had committed; sources may still be on either plane. */
  import(plane: PlaneName, committed: HopChoice, nowMs: number): void {
    this.#plane = plane;
    this.#committed = committed.copy();
    this.#decided = committed.copy();
    this.#moved = [];
    this.#prepared.clear();
    this.#astray = null;
    this.#changed = [...this.#tables.graph.slots()];
    this.#backups.import(this.#rows.heldBackups());
    this.#passMs = this.#options.drainMs;
    this.#enter('switching', nowMs);
    for (const v of this.#tables.graph.slots()) {
      this.#writeSource(v);
      this.#rows.writeTransit(v, plane, this.#committed.members(v), this.#backups.committed);
      // the other plane keeps what is there until no source uses it
      const held = this.#tables.table(v).certain(rowKey(transitTable(otherPlane(plane)), this.destination));
      if (held !== undefined && this.#rows.isTransit(v)) this.#tables.table(v).want(held);
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
    if (!this.#rows.holdsSource(source)) return false;
    return path.slice(1, -1).every((slot) => this.#rows.holdsTransit(slot, this.#plane));
  }

  /** Packets may pass through the slot: it is on a path, or a move that may have taken it off is not over. */
  meets(slot: number): boolean {
    return this.#phase !== 'idle' || this.#committed.passes(slot, this.#root);
  }

  #begin(nowMs: number): void {
    this.#reconsider = false;
    if (this.#moved.length === 0) return;
    const slots = this.#differing();
    this.#moved = slots;
    if (slots.length === 0) return;
    // a transit node gets another next hop: packets must not meet old and new rows on their way
    const flips = slots.some((v) => !this.#decided.sameHopsAt(this.#committed, v) && this.#rows.isTransit(v));
    this.#target = flips ? otherPlane(this.#plane) : this.#plane;
    this.#prepared.clear();
    for (const v of slots) this.#prepared.set(v, this.#decided.members(v));
    this.#backups.prepare(this.#decided);
    if (flips) {
      const touched = this.#backups.turned(this.#prepared.keys());
      for (const v of touched) {
        this.#rows.writeTransit(v, this.#target, this.#decided.members(v), this.#backups.prepared);
      }
      for (const v of this.#tables.retiringSlots()) this.#rows.clearTransit(v, this.#target);
      this.#astray = touched;
    }
    this.#awaited.reset();
    this.#enter('preparing', nowMs);
  }

  /** True when it committed. */
  #prepare(nowMs: number): boolean {
    if (this.#reconsider && this.#isOutdated()) {
      // nothing uses the target plane yet: start over with what is decided now
      this.#sync();
      this.#phase = 'idle';
      this.#begin(nowMs);
      if (this.#phase === 'idle') {
        this.#renewBackups();
        return false;
      }
    }
    this.#reconsider = false;
    if (!this.#awaited.transitHeld(this.#decided, this.#target)) return false;
    const flipped = this.#target !== this.#plane;
    this.#plane = this.#target;
    if (flipped) this.#passMs = drainTimeMs(this.#tables.graph, this.#root, this.#committed, this.#options);
    const slots = [...this.#prepared.keys()];
    const touched = this.#backups.turned(slots);
    for (const v of slots) {
      this.#committed.set(v, this.#decided.nextHop(v));
      this.#changed.push(v);
    }
    // behind a group the one next hop may have changed unseen, also where a group of one gives way to that very next hop
    for (const spread of [this.#committed.spread, this.#decided.spread]) {
      for (const v of spread.keys()) this.#committed.set(v, this.#decided.nextHop(v));
    }
    this.#committed.spread = this.#decided.spread;
    this.#moved = [];
    this.#brokenAt = -1;
    this.#prepared.clear();
    this.#backups.commit();
    for (const v of flipped ? this.#tables.graph.slots() : touched) this.#writeSource(v);
    // without another plane nothing but weights and backups may differ there
    for (const plane of flipped ? [] : (['a', 'b'] as const)) {
      for (const v of touched) this.#rows.writeTransit(v, plane, this.#committed.members(v), this.#backups.committed);
    }
    this.#awaited.reset();
    this.#enter(flipped ? 'switching' : 'idle', nowMs);
    return true;
  }

  /** What is decided is not what is being prepared. */
  #isOutdated(): boolean {
    for (const [v, members] of this.#prepared) if (!sameMembers(members, this.#decided.members(v))) return true;
    return this.#moved.some((v) => !this.#prepared.has(v) && !this.#decided.equalAt(this.#committed, v));
  }

  #switch(nowMs: number): void {
    if (nowMs < this.#sinceMs + this.#options.ackTimeoutMs && !this.#awaited.sourcesHeld()) return;
    this.#enter('draining', nowMs);
  }

  #drain(nowMs: number): void {
    if (nowMs < this.#sinceMs + this.#drainMs()) return;
    this.#sync();
    this.#enter('idle', nowMs);
  }

  #drainMs(): number {
    return this.#isBroken() ? Math.min(this.#options.urgentDrainMs, this.#passMs) : this.#passMs;
  }

  /** A committed next hop is broken, and a repair waits. */
  #isBroken(): boolean {
    const { graph } = this.#tables;
    if (this.#brokenAt === graph.version) return this.#broken;
    this.#brokenAt = graph.version;
    this.#broken = this.#moved.some(
      (v) =>
        !this.#decided.equalAt(this.#committed, v) &&
        this.#committed.members(v).some(({ slot }) => graph.weight(v, slot) === Number.POSITIVE_INFINITY),
    );
    return this.#broken;
  }

  #enter(phase: RolloutPhase, nowMs: number): void {
    this.#phase = phase;
    this.#sinceMs = nowMs;
    if (phase === 'idle') this.#renewBackups();
  }

  #renewBackups(): void {
    for (const slot of this.#backups.renew(this.#committed)) this.rewrite(slot);
  }

  /** The plane that is not in use gets the rows of the one that is. */
  #sync(): void {
    const other = otherPlane(this.#plane);
    for (const v of this.#astray ?? this.#tables.graph.slots()) {
      this.#rows.writeTransit(v, other, this.#committed.members(v), this.#backups.committed);
    }
    for (const v of this.#tables.retiringSlots()) this.#rows.clearTransit(v, other);
    this.#astray = [];
  }

  #writeSource(slot: number): void {
    this.#rows.writeSource(slot, this.#committed.members(slot), this.#plane, this.#backups.committed);
  }

  /** Slots whose decided next hops are not the committed ones, each once. */
  #differing(): number[] {
    const { marks } = this.#tables;
    marks.clear();
    return this.#moved.filter((v) => !this.#decided.equalAt(this.#committed, v) && marks.add(v));
  }

  /** A decision about a slot changed. */
  #note(slot: number): void {
    this.#reconsider = true;
    this.#brokenAt = -1;
    this.#moved.push(slot);
    if (this.#moved.length > 2 * this.#tables.graph.slotCount + 64) this.#moved = this.#differing();
  }
}
