/**
 * A fleet on virtual time: the real fleet engine (steering/fleet), transit nodes and leaves that report links, take the
 * deltas that come as bytes some ms later, and ask for the whole table when one was lost. The same options give the same
 * events at the same times: `checksum` says so.
 *
 * Packets of sampled pairs are followed through the tables as nodes hold them. While deltas are on their way old and new
 * rows may meet (docs/fleet.md), which is counted apart; at rest none may go round or end where nobody knows it.
 */
import { FleetEngine } from '../../steering/fleet/fleet-engine.ts';
import { fleetOptionsFor } from '../../steering/fleet/fleet-options.ts';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { DEFAULT_COST_OPTIONS } from '../../steering/link-state/link-cost.ts';
import { IncrementalTable } from '../../steering/spf/incremental/incremental-table.ts';
import { seededRandom } from '../seeded-random.ts';
import { EventLog } from './event-log.ts';
import { FleetTables } from './fleet-tables.ts';
import { observedLink } from './observed-link.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Who is there and what links measure when nothing is wrong. Nodes are numbers from 0. */
export interface FleetPlaces {
  readonly transit: number;
  readonly leaves: number;
  /** Links of a leaf. */
  readonly links: number;
  readonly pairs: readonly (readonly [number, number])[];
  readonly pairUs: readonly number[];
  /** `links` for each leaf: transit node, and RTT in microseconds. */
  readonly leafTransit: ArrayLike<number>;
  readonly leafUs: ArrayLike<number>;
  /** The transit node below `limit` that is closest to another; -1: none. */
  closest(transit: number, limit: number): number;
}

export interface FleetSimulationOptions {
  readonly seed: number;
  /** Virtual seconds, after the first tables. */
  readonly seconds: number;
  /** The last seconds, in which nothing new happens. */
  readonly settleSeconds: number;
  /** Changed links a second, of leaves; and of transit pairs a minute. */
  readonly leafEventsPerSecond: number;
  readonly troublesPerMinute: number;
  /** Share of deltas that are lost with the session. */
  readonly lostShare: number;
  /** Pairs whose packets are followed at each look. */
  readonly pairs: number;
}

export const DEFAULT_FLEET_SIMULATION: FleetSimulationOptions = {
  seed: 1,
  seconds: 60,
  settleSeconds: 30,
  leafEventsPerSecond: 100,
  troublesPerMinute: 12,
  lostShare: 0.0005,
  pairs: 2_000,
};

export interface FleetSimulationResult {
  readonly transit: number;
  readonly leaves: number;
  readonly links: number;
  readonly virtualSeconds: number;
  readonly steps: number;
  readonly deltas: number;
  readonly rows: number;
  readonly lostDeltas: number;
  readonly movedLeaves: number;
  /** Deltas whose table did not have its checksum, or that could not be read: must be 0. */
  readonly wrongDeltas: number;
  /** Packets followed at rest, and those that went wrong: both counts of faults must be 0. */
  readonly followed: number;
  readonly loops: number;
  readonly missingRows: number;
  /** Packets followed while deltas were on their way, and those that went wrong then. */
  readonly followedInTransit: number;
  readonly faultsInTransit: number;
  readonly firstFaults: readonly string[];
  readonly events: number;
  readonly checksum: string;
}

/** As in steering/session/steering-loop.ts. */
const STEP_DEBOUNCE_MS = 25;
/** From the core's sending to a table in place: the way, and a kernel that takes some ms. */
const LEAST_APPLY_MS = 10;
const APPLY_SPREAD_MS = 60;
const LOOK_MS = 1_000;
const CAPACITY_FACTOR = 2;
const FAULTS_KEPT = 5;

export class FleetSimulation {
  readonly clock = new VirtualClock();
  readonly log = new EventLog();
  readonly tables = new FleetTables();
  readonly engine: FleetEngine;
  readonly #places: FleetPlaces;
  readonly #options: FleetSimulationOptions;
  readonly #random: () => number;
  /** Node index of each transit node and leaf. */
  readonly #transit: Uint32Array;
  readonly #leaf: Uint32Array;
  /** Nodes that have lost a delta and have not asked for the whole table yet. */
  readonly #asking = new Set<number>();
  readonly #faults: string[] = [];
  #stepDueMs = Number.POSITIVE_INFINITY;
  #onTheirWay = 0;
  #steps = 0;
  #lost = 0;
  #wrong = 0;
  #followed = 0;
  #loops = 0;
  #missingRows = 0;
  #followedInTransit = 0;
  #faultsInTransit = 0;

  constructor(places: FleetPlaces, options: FleetSimulationOptions) {
    this.#places = places;
    this.#options = options;
    this.#random = seededRandom(options.seed ^ 0xf1ee7);
    const graph = new CsrGraph();
    const trees = new IncrementalTable(graph, { direction: 'to', transitHopUs: DEFAULT_COST_OPTIONS.transitHopUs });
    this.engine = new FleetEngine({ graph, trees }, fleetOptionsFor(places.transit));
    this.#transit = new Uint32Array(places.transit);
    this.#leaf = new Uint32Array(places.leaves);
    this.#join();
    this.engine.start(0, (index, bytes) => this.#take(index, bytes));
  }

  run(): FleetSimulationResult {
    const { seconds, settleSeconds } = this.#options;
    this.#plan((seconds - settleSeconds) * 1_000);
    this.#schedule(STEP_DEBOUNCE_MS);
    this.clock.runUntil(seconds * 1_000);
    this.#look();
    return this.result();
  }

  result(): FleetSimulationResult {
    const { stream, transitTables } = this.engine;
    return {
      transit: this.#places.transit,
      leaves: this.#places.leaves,
      links: this.#places.pairs.length,
      virtualSeconds: this.clock.monoMs() / 1_000,
      steps: this.#steps,
      deltas: stream.deltas,
      rows: stream.rows,
      lostDeltas: this.#lost,
      movedLeaves: transitTables.movedCount,
      wrongDeltas: this.#wrong,
      followed: this.#followed,
      loops: this.#loops,
      missingRows: this.#missingRows,
      followedInTransit: this.#followedInTransit,
      faultsInTransit: this.#faultsInTransit,
      firstFaults: this.#faults,
      events: this.log.count,
      checksum: this.log.checksum,
    };
  }

  #join(): void {
    const { transit, leaves, links, pairs, pairUs, leafTransit, leafUs } = this.#places;
    const capacity = Math.ceil((CAPACITY_FACTOR * leaves) / transit);
    for (let a = 0; a < transit; a++) {
      const near = this.#places.closest(a, a);
      this.#transit[a] = this.engine.addTransit(capacity, near < 0 ? 0 : (this.#transit[near] ?? 0), 0);
    }
    for (const [i, [a, b]] of pairs.entries()) {
      this.engine.openSession(this.#transit[a] ?? 0, this.#transit[b] ?? 0);
      this.engine.reportLink(this.#transit[a] ?? 0, observedLink(this.#transit[b] ?? 0, pairUs[i] ?? 1), 0);
    }
    for (let v = 0; v < leaves; v++) {
      const candidates = Array.from({ length: links }, (_, k) => ({
        transit: this.#transit[leafTransit[v * links + k] ?? 0] ?? 0,
        costUs: leafUs[v * links + k] ?? 1,
      }));
      this.#leaf[v] = this.engine.addLeaf(candidates, 0);
    }
  }

  #plan(untilMs: number): void {
    const { leafEventsPerSecond, troublesPerMinute, seconds } = this.#options;
    const { links, leaves, pairs } = this.#places;
    // times between independent events are exponential
    const plan = (perSecond: number, event: () => void) => {
      for (let atMs = 0; perSecond > 0; ) {
        atMs += (-Math.log(1 - this.#random()) * 1_000) / perSecond;
        if (atMs >= untilMs) return;
        this.clock.after(atMs, event);
      }
    };
    plan(leaves === 0 ? 0 : leafEventsPerSecond, () => {
      const v = Math.floor(this.#random() * leaves);
      this.#changeLeaf(v, v * links + Math.floor(this.#random() * links));
    });
    plan(troublesPerMinute / 60, () => this.#strike(Math.floor(this.#random() * pairs.length)));
    for (let atMs = LOOK_MS / 2; atMs < seconds * 1_000; atMs += LOOK_MS) this.clock.after(atMs, () => this.#look());
  }

  /** A leaf measures another RTT on one of its links, or one in ten times none, and the old one again 5 s later. */
  #changeLeaf(v: number, at: number): void {
    const peer = this.#transit[this.#places.leafTransit[at] ?? 0] ?? 0;
    const us = this.#places.leafUs[at] ?? 1;
    const leaf = this.#leaf[v] ?? 0;
    const now = this.#random() < 0.1 ? null : us * 2 ** (2 * this.#random() - 1);
    this.#report(leaf, peer, now);
    if (now === null) this.clock.after(5_000, () => this.#report(leaf, peer, us));
  }

  /** A link between transit nodes is cut or gets longer, and is well again 10 s later. */
  #strike(i: number): void {
    const [a, b] = this.#places.pairs[i] ?? [0, 1];
    const us = this.#places.pairUs[i] ?? 1;
    const [x, y] = [this.#transit[a] ?? 0, this.#transit[b] ?? 0];
    this.#report(x, y, this.#random() < 0.4 ? null : us * (1.5 + 8 * this.#random() ** 2));
    this.clock.after(10_000, () => this.#report(x, y, us));
  }

  #report(from: number, peer: number, us: number | null): void {
    const nowMs = this.clock.monoMs();
    this.log.add(nowMs, `link ${from} ${peer} ${us === null ? 'down' : Math.round(us)}`);
    this.engine.reportLink(from, observedLink(peer, us), nowMs);
    this.#schedule(nowMs + STEP_DEBOUNCE_MS);
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#stepDueMs || dueMs === Number.POSITIVE_INFINITY) return;
    this.#stepDueMs = dueMs;
    this.clock.after(dueMs - this.clock.monoMs(), () => {
      if (this.#stepDueMs === dueMs) this.#step();
    });
  }

  #step(): void {
    const nowMs = this.clock.monoMs();
    this.#stepDueMs = Number.POSITIVE_INFINITY;
    this.#steps++;
    this.engine.step(nowMs, (index, bytes) => this.#send(index, bytes));
    this.#schedule(Math.max(this.engine.dueMs, nowMs + STEP_DEBOUNCE_MS));
  }

  /** Brings a delta on its way. Those of one node stay in order, as on one stream. */
  #send(index: number, bytes: Uint8Array): void {
    const copy = bytes.slice();
    const isLost = this.#random() < this.#options.lostShare;
    // by the node and not by chance: a later delta must not overtake an earlier one
    const delayMs = LEAST_APPLY_MS + APPLY_SPREAD_MS * ((Math.imul(index, 0x9e3779b1) >>> 8) / 2 ** 24);
    this.#onTheirWay++;
    this.clock.after(delayMs, () => {
      this.#onTheirWay--;
      if (!isLost) return this.#take(index, copy);
      this.#lost++;
      // the session broke: the node comes back, and holds another table than the core thinks
      this.#ask(index, 1_000);
    });
  }

  #take(index: number, bytes: Uint8Array): void {
    const { applied, generation } = this.tables.apply(index, bytes);
    this.log.add(this.clock.monoMs(), `${applied} ${index} ${generation}`);
    if (applied === 'wrong') this.#wrong++;
    else if (applied === 'other_base') this.#ask(index, LEAST_APPLY_MS);
  }

  /** The node asks for its whole table, once. */
  #ask(index: number, delayMs: number): void {
    if (this.#asking.has(index)) return;
    this.#asking.add(index);
    this.clock.after(delayMs, () => {
      this.#asking.delete(index);
      this.engine.sendWhole(index, (node, bytes) => this.#send(node, bytes));
    });
  }

  /** Follows packets of random pairs: leaves to leaves, and transit nodes to leaves. */
  #look(): void {
    const isAtRest = this.#onTheirWay === 0 && this.#asking.size === 0 && !this.engine.isBehind;
    const any = (of: Uint32Array) => of[Math.floor(this.#random() * of.length)] ?? 0;
    for (let i = 0; i < this.#options.pairs; i++) {
      const from = any(i % 4 === 0 || this.#leaf.length === 0 ? this.#transit : this.#leaf);
      const to = any(i % 8 === 1 || this.#leaf.length === 0 ? this.#transit : this.#leaf);
      if (from === to || !this.#hasHome(from) || !this.#hasHome(to)) continue;
      const { fate, path } = this.tables.follow(from, to);
      if (isAtRest) this.#followed++;
      else this.#followedInTransit++;
      if (fate === 'delivered') continue;
      if (!isAtRest) {
        this.#faultsInTransit++;
        continue;
      }
      if (fate === 'loop') this.#loops++;
      else this.#missingRows++;
      if (this.#faults.length < FAULTS_KEPT)
        this.#faults.push(`${fate}: packets of ${from} for ${to} by ${path.join(' ')}`);
    }
    this.log.add(this.clock.monoMs(), `look ${isAtRest} ${this.#faultsInTransit} ${this.#loops} ${this.#missingRows}`);
  }

  /** A leaf all of whose links are down has none, and nobody can reach it. */
  #hasHome(index: number): boolean {
    return (this.engine.homes.home[index] ?? 0xffff) !== 0xffff;
  }
}
