/** A steering engine that only knows direct paths: every node gets a source row towards every other. Holds its state. */
import type { LinkView, PathChange, PathView } from '../../protocol/api.ts';
import { checksumOf, type RouteDelta, type RouteRow, RouteTable } from '../../protocol/route-table.ts';
import type { LoadInput } from '../../steering/load/load-input.ts';
import { TrafficState } from '../../steering/load/traffic-state.ts';
import type {
  LinkObservation,
  SteeringAction,
  SteeringEngine,
  SteeringNode,
} from '../../steering/steering-engine-port.ts';

interface NodeState {
  node: SteeringNode;
  online: boolean;
  held: { generation: bigint; checksum: bigint };
  wanted: bigint;
  needsFull: boolean;
}

export class SmallEngine implements SteeringEngine {
  readonly nodes = new Map<number, NodeState>();
  readonly reported = new Map<number, readonly LinkObservation[]>();
  readonly demands = new Map<number, number>();
  readonly goodbyes: number[] = [];
  /** Nodes that paths lead through. */
  readonly transits = new Set<number>();
  readonly changes: PathChange[] = [];
  generation = 0n;
  readonly counters = { unknownPeer: 0, selfLink: 0, absurdValue: 0, noSession: 0, endsDisagree: 0, spfRuns: 0 };
  timings = { spfMs: 0.1, stepMs: 0.2 };
  #dirty = false;

  upsertNode(node: SteeringNode): void {
    const known = this.nodes.get(node.index);
    if (known === undefined) {
      const held = { generation: 0n, checksum: 0n };
      this.nodes.set(node.index, { node, online: false, held, wanted: 0n, needsFull: false });
    } else known.node = node;
    this.#dirty = true;
  }

  removeNode(index: number): void {
    this.nodes.delete(index);
    this.#dirty = true;
  }

  nodeConnected(index: number, generation: bigint, checksum: bigint): void {
    const state = this.#state(index);
    state.online = true;
    state.held = { generation, checksum };
    this.#dirty = true;
  }

  nodeLeaving(index: number): void {
    this.goodbyes.push(index);
  }

  isTransit(index: number): boolean {
    return this.transits.has(index);
  }

  nodeDisconnected(index: number): void {
    const state = this.nodes.get(index);
    if (state !== undefined) state.online = false;
  }

  linksReported(index: number, links: readonly LinkObservation[]): void {
    this.reported.set(index, links);
  }

  demandReported(index: number, demands: readonly { peerIndex: number; bytesPerSecond: number }[]): void {
    this.demands.set(index, demands.length);
  }

  tableAcked(index: number, generation: bigint, checksum: bigint, error: string | null): void {
    if (error === null) this.#state(index).held = { generation, checksum };
  }

  readonly traffic = new TrafficState();

  loadSpread(): void {}

  loadInput(): LoadInput {
    const none = { from: new Int32Array(0), to: new Int32Array(0) };
    const network = { nodeCount: 0, ...none, rttUs: new Float64Array(0), capacityBps: new Float64Array(0) };
    return { nodes: [], network, demand: { ...none, rateBps: new Float64Array(0) }, learnings: 0, inForce: new Map() };
  }

  accessConfigured(): void {}

  tableRequested(index: number): void {
    this.#state(index).needsFull = true;
    this.#dirty = true;
  }

  linkRolesChanged(): void {}

  neighboursInUse(): ReadonlySet<number> {
    return new Set();
  }

  step(): SteeringAction[] {
    if (!this.#dirty) return [];
    this.#dirty = false;
    const actions: SteeringAction[] = [];
    for (const [index, state] of this.nodes) {
      const rows = this.#rows(index);
      const checksum = checksumOf(rows);
      if (!state.online || (checksum === state.held.checksum && !state.needsFull)) continue;
      state.needsFull = false;
      this.generation++;
      state.wanted = this.generation;
      const delta: RouteDelta = {
        generation: this.generation,
        baseGeneration: 0n,
        full: true,
        set: rows,
        remove: [],
        checksum,
      };
      if (!new RouteTable().apply(delta).ok) throw new Error('a delta that does not apply');
      actions.push({ kind: 'sendDelta', index, delta });
    }
    return actions;
  }

  nextWakeMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  links(): LinkView[] {
    return [...this.reported].flatMap(([from, links]) =>
      links.map((link) => ({
        from: this.#name(from),
        to: this.#name(link.peerIndex),
        role: 'planned' as const,
        health: link.health,
        rttUs: link.rttUs,
        minRttUs: link.minRttUs,
        jitterUs: link.jitterUs,
        lossOutPpm: link.lossOutPpm,
        lossInPpm: link.lossInPpm,
        handshakeAgeS: link.handshakeAgeS,
        cost: null,
        updatedAtMs: null,
        demandBps: null,
        carriedBps: null,
        capacityBps: null,
        utilisation: null,
      })),
    );
  }

  paths(): PathView[] {
    return [];
  }

  explainPath(): undefined {
    return undefined;
  }

  /** It gives no backups. */
  backupCounts() {
    return { direct: { pairs: 0, link: 0 }, detour: { pairs: 0, link: 0, node: 0 } };
  }

  pathChangesAfter(seq: number): readonly PathChange[] {
    return this.changes.filter((change) => change.seq > seq);
  }

  tableState(index: number) {
    const state = this.nodes.get(index);
    return state === undefined ? undefined : { acknowledged: state.held.generation, wanted: state.wanted };
  }

  exportState(): Uint8Array {
    return Buffer.from(String(this.generation));
  }

  /** Who is drained. */
  readonly drained = new Set<number>();

  nodeDrained(index: number, isDrained: boolean): void {
    if (isDrained) this.drained.add(index);
    else this.drained.delete(index);
  }

  stepRecord(): Uint8Array | null {
    return null;
  }

  importState(state: Uint8Array): boolean {
    this.generation = BigInt(Buffer.from(state).toString());
    return true;
  }

  get revision(): number {
    return Number(this.generation);
  }

  #rows(self: number): RouteRow[] {
    return [...this.nodes.keys()]
      .filter((index) => index !== self)
      .sort((a, b) => a - b)
      .map((index) => ({
        table: 'source',
        destination: index,
        blockBits: 0,
        plane: null,
        nextHops: [{ neighbour: index, weight: 1 }],
        backups: [],
      }));
  }

  #name(index: number): string {
    return this.nodes.get(index)?.node.name ?? `?${index}`;
  }

  #state(index: number): NodeState {
    const state = this.nodes.get(index);
    if (state === undefined) throw new Error(`the engine does not know node ${index}`);
    return state;
  }
}
