/**
 * The steering engine: one loop over  link state -> graph -> SPF -> incumbency -> RIB -> rollout -> delta.  Pure: time
 * comes in, actions go out. See docs/steering.md.
 */
import type { LinkView, PathChange, PathExplanation, PathView } from '../protocol/api.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import type { AccessLimits } from './capacity/capacity-book.ts';
import { changeRoles, feedGraph, takeReports } from './graph-feed.ts';
import { type LoadInput, loadInput } from './load/load-input.ts';
import type { TrafficState } from './load/traffic-state.ts';
import type { MeshGuest } from './mesh-guest.ts';
import { exportMesh, exportStep, importMesh } from './mesh-snapshot.ts';
import type { MeshNode } from './mesh-state.ts';
import { MeshState } from './mesh-state.ts';
import { type OnDecision, PathDecisions } from './path-decisions.ts';
import { PathRecorder } from './path-recorder.ts';
import { type PersistedState, parsePersistedState } from './persisted-state.ts';
import type { BackupCounts } from './rib/backup-choice.ts';
import { dijkstra } from './spf/dijkstra.ts';
import { KeptTrees } from './spf/kept-trees.ts';
import type { ComputeTree } from './spf/spf-tree.ts';
import { bringForward, formatStepRecord, parseStepRecords } from './state-journal.ts';
import type {
  LinkObservation,
  LoadGroups,
  SteeringAction,
  SteeringCounters,
  SteeringEngine,
  SteeringNode,
  SteeringTimings,
} from './steering-engine-port.ts';
import { type PartialSteeringOptions, steeringOptions } from './steering-options.ts';
import { explanation, linkViews, pathViews } from './steering-views.ts';
import { WarmUp } from './warm-up.ts';

export interface SteeringDeps {
  /** Monotonic to wall-clock milliseconds. */
  readonly toUnixMs: (monoMs: number) => number;
  /** Reads a stopwatch in milliseconds, for `timings` alone: no decision depends on it. */
  readonly stopwatchMs: () => number;
}

export class OneStepSteeringEngine implements SteeringEngine {
  readonly #deps: SteeringDeps;
  readonly #mesh: MeshState;
  readonly #computeTree: ComputeTree = dijkstra();
  readonly #decisions: PathDecisions;
  readonly #paths: PathRecorder;
  /** Destinations whose rollout may have something to do. */
  readonly #rolling = new Set<MeshNode>();
  readonly #onDecision: OnDecision = (node, hasDecided, reachesAll) => {
    this.#decided = true;
    if (hasDecided) this.#rolling.add(node);
    if (this.#paths.isStale(node) && !reachesAll()) this.#paths.note(node);
  };
  readonly #onLink = (low: number, high: number): void => this.#paths.noteLink(low, high);
  #generation: bigint;
  readonly #warmUp = new WarmUp();
  /** Deltas that the last step sent, and destinations whose sources it moved. */
  #sent: [number, RouteDelta][] = [];
  #moved: MeshNode[] = [];
  /** An imported state that waits until the nodes are known. */
  #saved: PersistedState | null = null;
  #spfPending = false;
  #lastSpfMs = Number.NEGATIVE_INFINITY;
  #spfRuns = 0;
  #revision = 0;
  #timings: SteeringTimings = { spfMs: 0, stepMs: 0 };
  #guest: MeshGuest | null = null;
  #decided = false;
  #nowMs = 0;

  constructor(deps: SteeringDeps, options: PartialSteeringOptions = {}) {
    this.#deps = deps;
    this.#mesh = new MeshState(steeringOptions(options));
    const { cost, firstGeneration } = this.#mesh.options;
    this.#decisions = new PathDecisions(
      this.#mesh,
      new KeptTrees(this.#mesh.graph, cost.transitHopUs, this.#computeTree),
    );
    this.#paths = new PathRecorder(this.#mesh, deps.toUnixMs);
    this.#generation = firstGeneration;
  }

  /** What the guest reads; the tables of nodes are all that it may change. */
  get state(): MeshState {
    return this.#mesh;
  }

  /** Before any event. */
  invite(guest: MeshGuest): void {
    this.#guest = guest;
  }

  get generation(): bigint {
    return this.#generation;
  }

  get revision(): number {
    return this.#revision;
  }

  get traffic(): TrafficState {
    return this.#mesh.traffic;
  }

  get timings(): SteeringTimings {
    return this.#timings;
  }

  get counters(): SteeringCounters {
    return { noSession: 0, ...this.#mesh.links.counters, spfRuns: this.#spfRuns };
  }

  // ---- events

  upsertNode(node: SteeringNode, nowMs: number): void {
    this.#nowMs = nowMs;
    const known = this.#mesh.nodes.get(node.index);
    if (known === undefined) {
      this.#rolling.add(this.#mesh.add(node, nowMs));
      this.#spfPending = true;
      this.#revision++;
      return;
    }
    known.name = node.name;
    if (known.transit === node.transit) return;
    this.#mesh.setWill(known, node.transit, nowMs);
    this.#spfPending = true;
  }

  removeNode(index: number, nowMs: number): void {
    this.begin(nowMs);
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return;
    this.#mesh.remove(node);
    this.#rolling.delete(node);
    this.#paths.forget(node);
    this.#spfPending = true;
    this.#revision++;
  }

  nodeConnected(index: number, generation: bigint, checksum: bigint, nowMs: number): void {
    this.begin(nowMs);
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return;
    this.heard(generation);
    node.table.connect(generation, checksum);
    node.reported = false;
    node.left = false;
    this.#mesh.updateTransit(node);
    this.#mesh.links.setConnected(index, true, nowMs);
    if (!node.everConnected) {
      node.everConnected = true;
      this.#paths.noteArrival(node);
    }
    this.#spfPending = true;
    this.#revision++;
  }

  nodeLeaving(index: number, nowMs: number): void {
    this.begin(nowMs);
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return;
    node.left = true;
    this.#mesh.updateTransit(node);
    this.#spfPending = true;
  }

  nodeDrained(index: number, isDrained: boolean, nowMs: number): void {
    this.#nowMs = nowMs;
    const node = this.#mesh.nodes.get(index);
    if (node === undefined || node.drained === isDrained) return;
    this.#mesh.setDrained(node, isDrained);
    this.#spfPending = true;
  }

  nodeDisconnected(index: number, nowMs: number): void {
    this.begin(nowMs);
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return;
    node.table.disconnect();
    this.#mesh.links.setConnected(index, false, nowMs);
    this.#spfPending = true;
  }

  linksReported(index: number, links: readonly LinkObservation[], nowMs: number): void {
    this.begin(nowMs);
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return;
    node.reported = true;
    takeReports(this.#mesh, index, links, nowMs);
  }

  demandReported(
    index: number,
    demands: readonly { peerIndex: number; bytesPerSecond: number }[],
    nowMs: number,
  ): void {
    this.begin(nowMs);
    const known = demands.filter(({ peerIndex }) => this.#mesh.nodes.has(peerIndex));
    if (this.#mesh.nodes.has(index)) this.traffic.demand.report(index, known, nowMs);
  }

  accessConfigured(index: number, limits: AccessLimits, nowMs: number): void {
    this.begin(nowMs);
    if (this.#mesh.nodes.has(index)) this.traffic.capacity.configure(index, limits);
  }

  loadSpread(groups: LoadGroups, nowMs: number): void {
    this.begin(nowMs);
    this.#spfPending = this.#mesh.takeSpreads(groups) || this.#spfPending;
  }

  tableAcked(index: number, generation: bigint, checksum: bigint, error: string | null, nowMs: number): void {
    this.begin(nowMs);
    const table = this.#mesh.nodes.get(index)?.table;
    if (table === undefined) return;
    const before = table.frozen;
    if (!table.acknowledge(generation, checksum, error, nowMs)) return;
    this.#revision++;
    if (table.frozen !== before) this.#spfPending = true;
  }

  tableRequested(index: number, nowMs: number): void {
    this.begin(nowMs);
    this.#mesh.nodes.get(index)?.table.request();
  }

  linkRolesChanged(pairs: Parameters<SteeringEngine['linkRolesChanged']>[0], nowMs: number): void {
    this.#nowMs = nowMs;
    changeRoles(this.#mesh, pairs, this.#onLink);
    this.#spfPending = true;
  }

  neighboursInUse(index: number): ReadonlySet<number> | null {
    return this.#mesh.neighboursInUse(index);
  }

  // ---- work

  step(nowMs: number): SteeringAction[] {
    const startMs = this.#deps.stopwatchMs();
    this.#sent = [];
    this.#moved = [];
    this.begin(nowMs);
    if (!this.#warmUp.look([...this.#mesh.nodes.values()], nowMs, this.#mesh.options.warmUpMs)) return [];
    const actions: SteeringAction[] = [];
    if (feedGraph(this.#mesh, nowMs, this.#onLink)) this.#spfPending = true;
    for (const node of this.#mesh.nodes.values()) if (node.table.tick(nowMs)) this.#spfPending = true;
    if (this.#mesh.graph.commit()) this.#spfPending = true;
    if (!this.#spfPending) {
      this.#decisions.decideDue(nowMs, this.#onDecision);
    } else if (nowMs >= this.#lastSpfMs + this.#mesh.options.spfMinIntervalMs) {
      this.#computeAll(nowMs);
    }
    this.#roll(nowMs);
    if (!this.#spfPending) this.#mesh.backed.renew();
    this.#retire(nowMs);
    this.#guest?.settle(nowMs, this.#decided);
    this.#decided = false;
    for (const change of this.#paths.record(nowMs)) actions.push({ kind: 'pathChanged', change });
    for (const node of this.#mesh.nodes.values()) {
      const delta = node.table.takeDelta(nowMs, () => ++this.#generation);
      if (delta === null) continue;
      actions.push({ kind: 'sendDelta', index: node.index, delta });
      this.#sent.push([node.index, delta]);
      this.#revision++;
    }
    actions.push(...(this.#guest?.takeActions(nowMs, () => ++this.#generation) ?? []));
    this.#timings = { spfMs: this.#timings.spfMs, stepMs: this.#deps.stopwatchMs() - startMs };
    return actions;
  }

  nextWakeMs(): number {
    if (!this.#warmUp.isOver) return this.#warmUp.dueMs;
    let wakeMs = Math.min(this.#mesh.links.dueMs, this.#guest?.dueMs ?? Number.POSITIVE_INFINITY);
    if (this.#spfPending) wakeMs = Math.min(wakeMs, this.#lastSpfMs + this.#mesh.options.spfMinIntervalMs);
    if (this.#rolling.size === 0) for (const dueMs of this.#mesh.retiring.values()) wakeMs = Math.min(wakeMs, dueMs);
    for (const node of this.#mesh.nodes.values()) {
      wakeMs = Math.min(wakeMs, node.moveDueMs, node.table.dueMs, node.rollout.dueMs);
    }
    return wakeMs;
  }

  isTransit(index: number): boolean {
    const node = this.#mesh.nodes.get(index);
    if (node === undefined) return false;
    if (this.#spfPending || !this.#warmUp.isOver) return true;
    return [...this.#mesh.nodes.values()].some((other) => other !== node && other.rollout.meets(node.slot));
  }

  // ---- state across a restart

  exportState(): Uint8Array {
    // a core that is stopped before its first step hands on what it was given
    const state = this.#saved ?? exportMesh(this.#mesh, this.#generation);
    return new TextEncoder().encode(JSON.stringify(state));
  }

  stepRecord(): Uint8Array | null {
    if (this.#sent.length === 0 && this.#moved.length === 0) return null;
    return formatStepRecord(exportStep(this.#mesh, this.#generation, this.#sent, this.#moved));
  }

  importState(state: Uint8Array, records: readonly Uint8Array[] = []): boolean {
    const saved = parsePersistedState(state);
    const since = parseStepRecords(records);
    if (!saved.ok || !since.ok) return false;
    this.#saved = bringForward(saved.value, since.value);
    this.heard(BigInt(this.#saved.generation));
    return true;
  }

  // ---- views

  loadInput(nowMs: number): LoadInput {
    return loadInput(this.#mesh, nowMs);
  }

  links(): LinkView[] {
    return linkViews(this.#mesh, this.#nowMs, this.#deps.toUnixMs);
  }

  paths(): PathView[] {
    return pathViews(this.#mesh, this.#deps.toUnixMs);
  }

  explainPath(fromIndex: number, toIndex: number): PathExplanation | undefined {
    const [from, to] = [this.#mesh.nodes.get(fromIndex), this.#mesh.nodes.get(toIndex)];
    if (from === undefined || to === undefined || from === to) return undefined;
    return explanation(this.#mesh, from, to, this.#nowMs, this.#computeTree, this.#deps.toUnixMs);
  }

  backupCounts(): BackupCounts {
    return this.#mesh.backed.counts();
  }

  pathChangesAfter(seq: number): readonly PathChange[] {
    return this.#mesh.log.after(seq);
  }

  tableState(index: number): { readonly acknowledged: bigint; readonly wanted: bigint } | undefined {
    const table = this.#mesh.nodes.get(index)?.table;
    return table && { acknowledged: table.acknowledged, wanted: table.newest(this.#generation) };
  }

  // ---- stages

  /** Notes the time; with the first event that is not a node's adding, puts an imported state in place. */
  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    const saved = this.#saved;
    if (saved !== null) {
      this.#saved = null;
      importMesh(this.#mesh, saved, nowMs, this.#deps.toUnixMs);
      for (const node of this.#mesh.nodes.values()) this.#rolling.add(node);
    }
    this.#guest?.restored(nowMs);
  }

  heard(generation: bigint): void {
    if (generation > this.#generation) this.#generation = generation;
  }

  /** Brings the trees up to the graph, and decides for those destinations whose nodes do not all follow their tree. */
  #computeAll(nowMs: number): void {
    this.#spfPending = false;
    this.#decided = true;
    this.#lastSpfMs = nowMs;
    this.#spfRuns++;
    const startMs = this.#deps.stopwatchMs();
    this.#decisions.refresh(nowMs, this.#onDecision);
    this.#timings = { spfMs: this.#deps.stopwatchMs() - startMs, stepMs: this.#timings.stepMs };
  }

  #roll(nowMs: number): void {
    for (const node of this.#rolling) {
      const before = node.rollout.phase;
      if (node.rollout.advance(nowMs)) {
        this.#paths.note(node);
        this.#moved.push(node);
      }
      if (node.rollout.phase === 'idle') this.#rolling.delete(node);
      if (node.rollout.phase !== before) this.#revision++;
    }
  }

  #retire(nowMs: number): void {
    if (this.#spfPending || this.#rolling.size > 0) return;
    for (const [node, dueMs] of this.#mesh.retiring) {
      if (dueMs > nowMs) continue;
      this.#mesh.retiring.delete(node);
      for (const other of this.#mesh.nodes.values()) other.rollout.rewrite(node.slot);
    }
  }
}
