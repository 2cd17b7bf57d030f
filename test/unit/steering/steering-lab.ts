/**
 * A mesh in memory for tests of the steering engine: simulated agents that hold real RouteTables, a clock that tests
 * turn, and packets that follow the rows hop by hop.
 */
import { type NextHop, type RouteDelta, RouteTable } from '../../../protocol/route-table.ts';
import { OneStepSteeringEngine, type SteeringDeps } from '../../../steering/steering-engine.ts';
import type { LinkObservation, SteeringEngine } from '../../../steering/steering-engine-port.ts';
import type { PartialSteeringOptions } from '../../../steering/steering-options.ts';

export interface SimulatedNode {
  readonly index: number;
  transit: boolean;
  online: boolean;
  table: RouteTable;
  /** Deltas not applied yet, oldest first. */
  inbox: RouteDelta[];
  /** Does not apply or answer. */
  stuck: boolean;
}

/** Leaves of each transit node, where the engine knows leaves. */
const LEAF_CAPACITY = 10;

export type Trace =
  | { readonly end: 'delivered'; readonly path: number[] }
  | { readonly end: 'loop' | 'no_row' | 'dead_link' | 'plane_change'; readonly path: number[] };

export class SteeringLab {
  nowMs = 0;
  engine: SteeringEngine;
  readonly nodes = new Map<number, SimulatedNode>();
  readonly #rtt = new Map<string, number | null>();
  readonly #options: PartialSteeringOptions;
  /** Deltas sent, by node. */
  readonly sent: { atMs: number; index: number; delta: RouteDelta }[] = [];
  /** What the engine wrote down before it sent, while somebody keeps it. */
  records: Uint8Array[] | null = null;
  /** Apply and acknowledge within the step that sent. */
  instant = true;

  constructor(options: PartialSteeringOptions = {}) {
    this.#options = options;
    this.engine = this.#make();
    // a core that starts without nodes has nothing to warm up for
    this.engine.step(0);
  }

  #make(): SteeringEngine {
    return this.makeEngine({ toUnixMs: (ms) => 1_700_000_000_000 + ms, stopwatchMs: () => 0 }, this.#options);
  }

  protected makeEngine(deps: SteeringDeps, options: PartialSteeringOptions): SteeringEngine {
    return new OneStepSteeringEngine(deps, options);
  }

  join(index: number, transit = true): SimulatedNode {
    const node = { index, transit, online: true, table: new RouteTable(), inbox: [], stuck: false };
    this.nodes.set(index, node);
    this.engine.upsertNode({ index, name: `n${index}`, transit, leafCapacity: LEAF_CAPACITY }, this.nowMs);
    this.engine.nodeConnected(index, 0n, 0n, this.nowMs);
    return node;
  }

  /** RTT of a link in microseconds; null: dead. Reported by both ends that are online. */
  link(a: number, b: number, rttUs: number | null): void {
    this.#rtt.set(key(a, b), rttUs);
    this.report(a, b);
    this.report(b, a);
  }

  isUp(a: number, b: number): boolean {
    return typeof this.#rtt.get(key(a, b)) === 'number';
  }

  protected report(from: number, to: number): void {
    if (this.nodes.get(from)?.online !== true || !this.nodes.has(to)) return;
    const rttUs = this.#rtt.get(key(from, to)) ?? null;
    this.engine.linksReported(from, [observation(to, rttUs)], this.nowMs);
  }

  reportAll(index: number): void {
    this.engine.linksReported(index, [], this.nowMs);
    for (const peer of this.nodes.keys()) if (this.#rtt.has(key(index, peer))) this.report(index, peer);
  }

  disconnect(index: number, goodbye = false): void {
    const node = this.node(index);
    node.online = false;
    node.inbox = [];
    if (goodbye) this.engine.nodeLeaving(index, this.nowMs);
    this.engine.nodeDisconnected(index, this.nowMs);
  }

  reconnect(index: number): void {
    const node = this.node(index);
    node.online = true;
    this.engine.nodeConnected(index, node.table.generation, node.table.checksum, this.nowMs);
    this.reportAll(index);
  }

  /** The core restarts, with or without its saved state and what was written since; all nodes keep their tables. */
  restart(saved: Uint8Array | null, records: readonly Uint8Array[] = []): void {
    this.engine = this.#make();
    if (saved !== null && !this.engine.importState(saved, records)) throw new Error('state not readable');
    for (const node of this.nodes.values()) {
      node.online = false;
      node.inbox = [];
      const { index, transit } = node;
      this.engine.upsertNode({ index, name: `n${index}`, transit, leafCapacity: LEAF_CAPACITY }, this.nowMs);
    }
  }

  node(index: number): SimulatedNode {
    const node = this.nodes.get(index);
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  /** One step at the present time; deltas go to the inboxes. */
  step(): number {
    const actions = this.engine.step(this.nowMs);
    const record = this.records === null ? null : this.engine.stepRecord();
    if (record !== null) this.records?.push(record);
    for (const action of actions) {
      if (action.kind !== 'sendDelta') continue;
      const node = this.node(action.index);
      if (!node.online) throw new Error(`a delta for node ${action.index}, which is not online`);
      node.inbox.push(action.delta);
      this.sent.push({ atMs: this.nowMs, index: action.index, delta: action.delta });
    }
    return actions.length;
  }

  /** The node applies its oldest delta and acknowledges. */
  apply(index: number): void {
    const node = this.node(index);
    const delta = node.inbox.shift();
    if (delta === undefined) return;
    const applied = node.table.apply(delta);
    if (!applied.ok) {
      this.engine.tableRequested(index, this.nowMs);
      return;
    }
    this.engine.tableAcked(index, delta.generation, node.table.checksum, null, this.nowMs);
  }

  /** Steps and applies until nothing is left to do at this moment. */
  settle(): void {
    for (let i = 0; i < 1000; i++) {
      const acted = this.step();
      let applied = false;
      for (const node of this.nodes.values()) {
        if (!this.instant || node.stuck || !node.online || node.inbox.length === 0) continue;
        this.apply(node.index);
        applied = true;
      }
      if (acted === 0 && !applied) return;
    }
    throw new Error('the engine does not come to rest');
  }

  /** Lets time pass, in steps of `tickMs` and at the moments at which the engine wants to be woken. */
  run(ms: number, tickMs = 100): void {
    const end = this.nowMs + ms;
    this.settle();
    while (this.nowMs < end) {
      const wake = this.engine.nextWakeMs();
      this.nowMs = Math.min(end, this.nowMs + tickMs, Math.max(wake, this.nowMs + 1));
      this.settle();
    }
  }

  /** Follows a packet through the rows that nodes hold now, by the heaviest member of each group. */
  trace(from: number, to: number): Trace {
    const path = [from];
    const row = this.node(from).table.get({ table: 'source', destination: to, blockBits: 0 });
    if (row === undefined) return { end: 'no_row', path };
    const plane = row.plane;
    let next = mainHop(row.nextHops);
    for (;;) {
      const at = path.at(-1) ?? 0;
      if (!this.isUp(at, next)) return { end: 'dead_link', path: [...path, next] };
      if (path.includes(next)) return { end: 'loop', path: [...path, next] };
      path.push(next);
      if (next === to) return { end: 'delivered', path };
      if (plane === null) return { end: 'plane_change', path };
      const table = plane === 'a' ? ('transitA' as const) : ('transitB' as const);
      const transit = this.node(next).table.get({ table, destination: to, blockBits: 0 });
      if (transit === undefined) return { end: 'no_row', path };
      next = mainHop(transit.nextHops);
    }
  }
}

function mainHop(hops: readonly NextHop[]): number {
  return hops.reduce((best, hop) => (hop.weight > best.weight ? hop : best), { neighbour: 0, weight: 0 }).neighbour;
}

/** Every way that packets may take, by any member of any group: the first that is not delivered, or one that is. */
export function traceEach(lab: SteeringLab, from: number, to: number): Trace {
  const row = lab.node(from).table.get({ table: 'source', destination: to, blockBits: 0 });
  if (row === undefined) return { end: 'no_row', path: [from] };
  const table = row.plane === 'b' ? 'transitB' : 'transitA';
  let delivered: Trace = { end: 'no_row', path: [from] };
  const follow = (path: number[], hops: readonly NextHop[]): Trace | undefined => {
    for (const { neighbour } of hops) {
      const on = [...path, neighbour];
      if (!lab.isUp(path.at(-1) ?? 0, neighbour)) return { end: 'dead_link', path: on };
      if (path.includes(neighbour)) return { end: 'loop', path: on };
      if (neighbour === to) {
        delivered = { end: 'delivered', path: on };
        continue;
      }
      if (row.plane === null) return { end: 'plane_change', path: on };
      const transit = lab.node(neighbour).table.get({ table, destination: to, blockBits: 0 });
      if (transit === undefined) return { end: 'no_row', path: on };
      const fault = follow(on, transit.nextHops);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  return follow([from], row.nextHops) ?? delivered;
}

export function observation(peerIndex: number, rttUs: number | null): LinkObservation {
  return {
    peerIndex,
    health: rttUs === null ? 'down' : 'up',
    rttUs,
    minRttUs: rttUs,
    jitterUs: rttUs === null ? null : 100,
    lossOutPpm: 0,
    lossInPpm: 0,
    handshakeAgeS: 10,
  };
}

function key(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
