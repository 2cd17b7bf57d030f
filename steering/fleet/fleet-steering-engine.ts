/**
 * The engine of a core whose mesh has leaves (`engine: fleet`): transit nodes are steered by the mesh engine, and nodes
 * that do not forward hang off them (homed-leaves.ts). Without leaves it does what the mesh engine does. Pure.
 */

import type { AddressRanges } from '../../protocol/address-plan.ts';
import type { LinkView, PathChange, PathExplanation, PathView } from '../../protocol/api.ts';
import type { AccessLimits } from '../capacity/capacity-book.ts';
import type { LoadInput } from '../load/load-input.ts';
import type { TrafficState } from '../load/traffic-state.ts';
import type { BackupCounts } from '../rib/backup-choice.ts';
import { OneStepSteeringEngine, type SteeringDeps } from '../steering-engine.ts';
import type {
  LinkObservation,
  LoadGroups,
  NodeRole,
  SteeringAction,
  SteeringCounters,
  SteeringEngine,
  SteeringNode,
  SteeringTimings,
} from '../steering-engine-port.ts';
import type { PartialSteeringOptions } from '../steering-options.ts';
import { bringLeavesForward, packFleetRecord, packFleetState, unpackFleetState } from './fleet-state.ts';
import { HomedLeaves } from './homed-leaves.ts';
import type { LeafBook } from './leaf-book.ts';
import { exportLeaves, importLeaves, type PersistedLeaves } from './leaf-snapshot.ts';
import { explainLeafPath, type LeafViewDeps, leafLinkViews, leafPathViews } from './leaf-views.ts';

export class FleetSteeringEngine implements SteeringEngine {
  readonly #mesh: OneStepSteeringEngine;
  readonly #homed: HomedLeaves;
  readonly #book: LeafBook;
  readonly #views: LeafViewDeps;
  /** Imported leaves that wait until the nodes are known. */
  #saved: PersistedLeaves | null = null;

  constructor(deps: SteeringDeps, ranges: Pick<AddressRanges, 'maxIndex'>, options: PartialSteeringOptions = {}) {
    this.#mesh = new OneStepSteeringEngine(deps, options);
    const { state } = this.#mesh;
    this.#homed = new HomedLeaves({ mesh: state, toUnixMs: deps.toUnixMs }, ranges);
    this.#book = this.#homed.book;
    this.#views = { mesh: state, book: this.#book, toUnixMs: deps.toUnixMs };
    this.#mesh.invite(this.#homed);
  }

  // ---- events

  /** A node that was never heard says nothing of its role, and waits. */
  upsertNode(node: SteeringNode, nowMs: number): void {
    const { index, name, transit, leafCapacity } = node;
    if (leafCapacity === null) return;
    if (!transit) {
      if (this.#mesh.state.nodes.has(index)) this.removeNode(index, nowMs);
      this.#homed.add(index, name, nowMs);
      return;
    }
    this.#homed.remove(index, nowMs);
    this.#mesh.upsertNode(node, nowMs);
    this.#homed.transitAdded(index, leafCapacity ?? 0, nowMs);
  }

  removeNode(index: number, nowMs: number): void {
    this.#mesh.begin(nowMs);
    if (this.#isLeaf(index)) {
      this.#homed.remove(index, nowMs);
      return;
    }
    this.#homed.transitRemoved(index, nowMs);
    this.#mesh.removeNode(index, nowMs);
  }

  nodeConnected(index: number, generation: bigint, checksum: bigint, nowMs: number): void {
    this.#mesh.begin(nowMs);
    this.#mesh.heard(generation);
    if (this.#isLeaf(index)) {
      this.#homed.connected(index, generation, checksum, nowMs);
      return;
    }
    this.#mesh.nodeConnected(index, generation, checksum, nowMs);
    this.#homed.transitConnected(index, nowMs);
    if (this.#mesh.state.nodes.get(index)?.drained === true) this.#homed.transitLeaving(index, nowMs);
  }

  nodeLeaving(index: number, nowMs: number): void {
    if (this.#isLeaf(index)) return;
    this.#mesh.nodeLeaving(index, nowMs);
    this.#homed.transitLeaving(index, nowMs);
  }

  /** Also its leaves move to other homes. */
  nodeDrained(index: number, isDrained: boolean, nowMs: number): void {
    if (this.#isLeaf(index) || this.#mesh.state.nodes.get(index)?.drained === isDrained) return;
    this.#mesh.nodeDrained(index, isDrained, nowMs);
    if (isDrained) this.#homed.transitLeaving(index, nowMs);
    else this.#homed.transitConnected(index, nowMs);
  }

  nodeDisconnected(index: number, nowMs: number): void {
    const leaf = this.#book.leaves.get(index);
    if (leaf !== undefined) {
      leaf.table.disconnect();
      return;
    }
    this.#mesh.nodeDisconnected(index, nowMs);
    this.#book.transitSilent(index, nowMs);
  }

  linksReported(index: number, links: readonly LinkObservation[], nowMs: number): void {
    this.#mesh.begin(nowMs);
    const ofLeaves = this.#isLeaf(index) ? links : links.filter((link) => this.#isLeaf(link.peerIndex));
    if (ofLeaves.length > 0) this.#book.reported(index, ofLeaves, nowMs);
    if (this.#isLeaf(index)) return;
    const rest = links.filter((link) => !this.#isLeaf(link.peerIndex));
    this.#mesh.linksReported(index, rest, nowMs);
  }

  demandReported(
    index: number,
    demands: readonly { peerIndex: number; bytesPerSecond: number }[],
    nowMs: number,
  ): void {
    if (this.#isLeaf(index)) this.#homed.demanded(index, demands);
    else this.#mesh.demandReported(index, demands, nowMs);
  }

  accessConfigured(index: number, limits: AccessLimits, nowMs: number): void {
    this.#mesh.accessConfigured(index, limits, nowMs);
  }

  get traffic(): TrafficState {
    return this.#mesh.traffic;
  }

  loadInput(nowMs: number): LoadInput {
    return this.#mesh.loadInput(nowMs);
  }

  loadSpread(groups: LoadGroups, nowMs: number): void {
    this.#mesh.loadSpread(groups, nowMs);
  }

  tableAcked(index: number, generation: bigint, checksum: bigint, error: string | null, nowMs: number): void {
    const leaf = this.#book.leaves.get(index);
    if (leaf === undefined) this.#mesh.tableAcked(index, generation, checksum, error, nowMs);
    else if (leaf.table.acknowledge(generation, checksum, error, nowMs)) {
      this.#book.revision++;
      this.#book.unsettled.add(leaf);
    }
  }

  tableRequested(index: number, nowMs: number): void {
    const leaf = this.#book.leaves.get(index);
    if (leaf === undefined) this.#mesh.tableRequested(index, nowMs);
    else {
      leaf.table.request();
      this.#book.unsettled.add(leaf);
    }
  }

  // ---- state across a restart

  get revision(): number {
    return this.#mesh.revision + this.#book.revision;
  }

  exportState(): Uint8Array {
    return packFleetState(this.#mesh.exportState(), this.#saved ?? exportLeaves(this.#homed));
  }

  stepRecord(): Uint8Array | null {
    return packFleetRecord(this.#mesh.stepRecord(), this.#homed, this.#homed.told);
  }

  importState(state: Uint8Array, records: readonly Uint8Array[] = []): boolean {
    const saved = unpackFleetState(state);
    if (saved === undefined) return false;
    const since = bringLeavesForward(saved.leaves, records);
    if (since === undefined || !this.#mesh.importState(saved.mesh, since.mesh)) return false;
    this.#saved = since.leaves;
    this.#homed.onRestored((nowMs) => {
      this.#saved = null;
      importLeaves(this.#homed, since.leaves, nowMs);
    });
    return true;
  }

  // ---- work

  step(nowMs: number): SteeringAction[] {
    return this.#mesh.step(nowMs);
  }

  nextWakeMs(): number {
    return this.#mesh.nextWakeMs();
  }

  isTransit(index: number, nowMs: number): boolean {
    if (this.#isLeaf(index)) return false;
    return this.#mesh.isTransit(index) || this.#homed.isMet(index, nowMs);
  }

  /** The sessions of this mesh are the engine's own choice. */
  linkRolesChanged(pairs: Parameters<SteeringEngine['linkRolesChanged']>[0], nowMs: number): void {
    this.#mesh.linkRolesChanged(pairs, nowMs);
  }

  neighboursInUse(index: number): ReadonlySet<number> | null {
    return this.#mesh.neighboursInUse(index);
  }

  // ---- views

  sessionPeers(index: number): ReadonlySet<number> {
    const leafPeers = new Set(this.#book.peersOf(index));
    if (this.#isLeaf(index) || !this.#mesh.state.nodes.has(index)) return leafPeers;
    for (const other of this.#mesh.state.nodes.keys()) if (other !== index) leafPeers.add(other);
    return leafPeers;
  }

  role(index: number): NodeRole | undefined {
    if (this.#isLeaf(index)) return { kind: 'leaf', home: this.#book.homeOf(index) ?? null };
    if (!this.#mesh.state.nodes.has(index)) return undefined;
    return { kind: 'transit', leaves: this.#book.loadOf(index), leafCapacity: this.#book.capacityOf(index) };
  }

  links(): LinkView[] {
    return [...this.#mesh.links(), ...leafLinkViews(this.#views)];
  }

  paths(): PathView[] {
    return [...this.#mesh.paths(), ...leafPathViews(this.#views)];
  }

  explainPath(fromIndex: number, toIndex: number): PathExplanation | undefined {
    const isKnown = (index: number) => this.#isLeaf(index) || this.#mesh.state.nodes.has(index);
    if (fromIndex === toIndex || !isKnown(fromIndex) || !isKnown(toIndex)) return undefined;
    if (!this.#isLeaf(fromIndex) && !this.#isLeaf(toIndex)) return this.#mesh.explainPath(fromIndex, toIndex);
    return explainLeafPath(this.#views, fromIndex, toIndex);
  }

  /** Of transit nodes: rows towards leaves, which hang off one home, have none, and a leaf's own table has its other ways. */
  backupCounts(): BackupCounts {
    return this.#mesh.backupCounts();
  }

  pathChangesAfter(seq: number): readonly PathChange[] {
    return this.#mesh.pathChangesAfter(seq);
  }

  tableState(index: number): { readonly acknowledged: bigint; readonly wanted: bigint } | undefined {
    const table = this.#book.leaves.get(index)?.table;
    if (table === undefined) return this.#mesh.tableState(index);
    return { acknowledged: table.acknowledged, wanted: table.newest(this.#mesh.generation) };
  }

  get generation(): bigint {
    return this.#mesh.generation;
  }

  get timings(): SteeringTimings {
    return this.#mesh.timings;
  }

  get counters(): SteeringCounters {
    const [mesh, leaves] = [this.#mesh.counters, this.#book.counters];
    return {
      ...mesh,
      unknownPeer: mesh.unknownPeer + leaves.unknownPeer,
      noSession: mesh.noSession + leaves.noSession,
      absurdValue: mesh.absurdValue + leaves.absurdValue,
      endsDisagree: mesh.endsDisagree + this.#book.links.counters.endsDisagree,
    };
  }

  #isLeaf(index: number): boolean {
    return this.#book.leaves.has(index);
  }
}
