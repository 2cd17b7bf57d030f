/**
 * The session plan of a mesh too big for everybody to talk to everybody: which pairs of transit nodes hold WireGuard
 * sessions and probe each other all the time, and which more are probed for one round to learn. Observations go in, a
 * plan comes out; the same observations and seed give the same plan. See docs/session-plan.md.
 *
 *   observe -> known links -> coordinates -> best known paths -> plan + exploration -> observe ...
 */
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';
import { type NodePair, pairKey } from '../link-state/link-roles.ts';
import { Coordinates, DEFAULT_COORDINATE_OPTIONS } from './coordinates.ts';
import { DelayEstimate } from './delay-estimate.ts';
import { chooseExploration, type ExplorationOptions, Shortlist } from './exploration.ts';
import { DEFAULT_KNOWN_LINK_OPTIONS, KnownLinks } from './known-links.ts';
import { KnownPaths } from './known-paths.ts';
import { LinkTable } from './link-table.ts';
import { knownOrEstimateUs, type TransitPlanInput } from './plan-input.ts';
import { type PlanRequest, unpackPairs } from './plan-request.ts';
import { hashOf } from './seeded.ts';
import { planTransit, type TransitPlanOptions } from './transit-plan.ts';

export interface SessionPlanOptions extends TransitPlanOptions {
  readonly exploration: ExplorationOptions;
  /** Nodes from which best known paths are computed; more nodes than this are judged by a sample. */
  readonly pathSources: number;
  /** Times that each known pair is shown to the coordinates per plan. */
  readonly coordinatePasses: number;
  readonly seed: number;
}

export const DEFAULT_SESSION_PLAN_OPTIONS: SessionPlanOptions = {
  degree: 16,
  stickiness: 0.05,
  randomLinks: 1,
  demandLinks: 4,
  leastLinks: 8,
  exploration: { perNode: 4, near: 2, nearAndSite: 3 },
  pathSources: 512,
  coordinatePasses: 8,
  seed: 1,
};

export interface Demand {
  readonly from: number;
  readonly to: number;
  readonly bytesPerSecond: number;
}

export interface SessionPlan {
  /** Rises by one with each plan. */
  readonly round: number;
  /** Pairs that hold a session and probe, sorted. */
  readonly links: readonly NodePair[];
  /** Unmeasured pairs to probe until the next plan, sorted; none is in `links`. */
  readonly explore: readonly NodePair[];
  /** Pairs that the plan before had not, and that it had and this one has not. */
  readonly added: number;
  readonly removed: number;
  /** Nodes that hold more sessions than the bound, since the mesh would fall apart otherwise. */
  readonly beyondBound: readonly number[];
}

export class SessionPlanner {
  readonly #options: SessionPlanOptions;
  readonly #coordinates: Coordinates;
  #known = new KnownLinks(DEFAULT_KNOWN_LINK_OPTIONS);
  readonly #nodes = new Set<number>();
  readonly #blocked = new Set<number>();
  #demands: readonly Demand[] = [];
  #planned = new Set<number>();
  #round = 0;

  constructor(options: Partial<SessionPlanOptions> = {}) {
    this.#options = { ...DEFAULT_SESSION_PLAN_OPTIONS, ...options };
    this.#coordinates = new Coordinates(this.#options.seed, DEFAULT_COORDINATE_OPTIONS);
  }

  get coordinates(): Coordinates {
    return this.#coordinates;
  }

  /** Pairs that are remembered as measured. */
  knownPairs(): readonly NodePair[] {
    return this.#known.all();
  }

  /** A transit node by its stable index. False: not such an index. */
  addNode(index: number): boolean {
    if (!Number.isInteger(index) || index < 1 || index > MAX_NODE_INDEX) return false;
    this.#nodes.add(index);
    return true;
  }

  removeNode(index: number): void {
    this.#nodes.delete(index);
    this.#known.removeNode(index);
    this.#coordinates.remove(index);
  }

  /** Takes an RTT that the two measured. False: unknown node, a node with itself, or not an RTT. */
  observe(a: number, b: number, rttUs: number, nowMs: number): boolean {
    if (!this.#nodes.has(a) || !this.#nodes.has(b)) return false;
    return this.#known.observe(a, b, rttUs, nowMs);
  }

  /** Puts everything that is known in the place of what was, except coordinates of nodes that are still there. */
  load({ transit, known, planned, blocked, demands, round }: PlanRequest): void {
    const nodes = new Set(transit);
    for (const index of this.#nodes) if (!nodes.has(index)) this.removeNode(index);
    for (const index of nodes) this.addNode(index);
    this.#known = new KnownLinks({ ...DEFAULT_KNOWN_LINK_OPTIONS, maxPerNode: Number.POSITIVE_INFINITY });
    for (let i = 0; i < known.length; i += 3) this.observe(known[i] ?? 0, known[i + 1] ?? 0, known[i + 2] ?? 0, 0);
    this.#planned = new Set(unpackPairs(planned).map(({ low, high }) => pairKey(low, high)));
    this.#blocked.clear();
    for (const { low, high } of unpackPairs(blocked)) this.block(low, high);
    this.setDemands(demands);
    this.#round = round;
  }

  /** The two cannot hold a session, as when no candidate address of either reaches the other. */
  block(a: number, b: number): void {
    this.#blocked.add(pairKey(a, b));
    this.#known.forget(a, b);
  }

  unblock(a: number, b: number): void {
    this.#blocked.delete(pairKey(a, b));
  }

  /** Replaces what is known of demand. Demands of unknown nodes, or that are no positive number, are left out. */
  setDemands(demands: readonly Demand[]): void {
    this.#demands = demands.filter(
      ({ from, to, bytesPerSecond }) =>
        from !== to && this.#nodes.has(from) && this.#nodes.has(to) && bytesPerSecond > 0,
    );
  }

  plan(nowMs: number): SessionPlan {
    this.#known.expire(nowMs);
    const input = this.#input();
    const { table } = input;
    const planned = planTransit(input, this.#options);
    const pairs = new Set<number>();
    for (let a = 0; a < table.nodeCount; a++) {
      for (const b of planned.peersOf(a)) if (a < b) pairs.add(pairKey(table.nodeOf(a), table.nodeOf(b)));
    }
    const explore = chooseExploration(input, this.#options.exploration, this.#round)
      .map(([a, b]) => pairKey(table.nodeOf(a), table.nodeOf(b)))
      .filter((key) => !pairs.has(key));
    const before = this.#planned;
    this.#planned = pairs;
    this.#round++;
    return {
      round: this.#round,
      links: pairsOf(pairs),
      explore: pairsOf(explore),
      added: [...pairs].filter((key) => !before.has(key)).length,
      removed: [...before].filter((key) => !pairs.has(key)).length,
      beyondBound: table.nodes.filter((_, slot) => (planned.degree[slot] ?? 0) > this.#options.degree),
    };
  }

  #input(): TransitPlanInput {
    const { seed, pathSources } = this.#options;
    const table = new LinkTable(
      [...this.#nodes].sort((a, b) => a - b),
      this.#known.all(),
    );
    this.#settleCoordinates(table);
    const estimate = new DelayEstimate(this.#coordinates, table);
    const paths = new KnownPaths(table, sample(table, pathSources, seed));
    const slots = (low: number, high: number) => pairKey(table.nodeOf(low), table.nodeOf(high));
    const nearest = (slot: number, count: number): readonly number[] => {
      const list = new Shortlist(count);
      for (let b = 0; b < table.nodeCount; b++) {
        const us = b === slot ? Number.NaN : knownOrEstimateUs({ table, estimate }, slot, b);
        if (!Number.isNaN(us)) list.offer(b, us);
      }
      return this.#coordinates.has(table.nodeOf(slot)) ? list.items() : [];
    };
    return {
      table,
      estimate,
      paths,
      isPossible: (a, b) => this.#blocked.size === 0 || !this.#blocked.has(slots(a, b)),
      wasPlanned: (a, b) => this.#planned.has(slots(a, b)),
      demands: this.#demandsBySlot(table),
      nearest,
      seed,
    };
  }

  /** Shows every known pair to the coordinates some times, each time in another order. */
  #settleCoordinates(table: LinkTable): void {
    const places: { a: number; b: number; rttUs: number; hash: number }[] = [];
    for (let v = 0; v < table.nodeCount; v++) {
      for (let k = table.start[v] ?? 0; k < (table.start[v + 1] ?? 0); k++) {
        const w = table.peer[k] ?? 0;
        if (v < w) places.push({ a: table.nodeOf(v), b: table.nodeOf(w), rttUs: table.rtt[k] ?? 0, hash: 0 });
      }
    }
    for (let pass = 0; pass < this.#options.coordinatePasses; pass++) {
      for (const place of places) place.hash = hashOf(this.#options.seed, this.#round, pass, place.a, place.b);
      places.sort((x, y) => x.hash - y.hash || x.a - y.a || x.b - y.b);
      for (const { a, b, rttUs } of places) this.#coordinates.observe(a, b, rttUs);
    }
  }

  #demandsBySlot(table: LinkTable): { a: number; b: number }[] {
    const rates = new Map<number, number>();
    for (const { from, to, bytesPerSecond } of this.#demands) {
      const key = pairKey(from, to);
      rates.set(key, (rates.get(key) ?? 0) + bytesPerSecond);
    }
    return [...rates]
      .sort(([k, x], [l, y]) => y - x || k - l)
      .flatMap(([key]) => {
        const [a, b] = [table.slotOf(lowOf(key)), table.slotOf(highOf(key))];
        return a === undefined || b === undefined ? [] : [{ a, b }];
      });
  }
}

/** What a pair's key is made with: see pairKey. */
const KEY_BASE = MAX_NODE_INDEX + 2;

function lowOf(key: number): number {
  return Math.floor(key / KEY_BASE);
}

function highOf(key: number): number {
  return key % KEY_BASE;
}

function pairsOf(keys: Iterable<number>): NodePair[] {
  return [...keys].sort((x, y) => x - y).map((key) => ({ low: lowOf(key), high: highOf(key) }));
}

/** The slots with the least hashes: the sample changes little when nodes join and leave. */
function sample(table: LinkTable, most: number, seed: number): number[] {
  const slots = Array.from({ length: table.nodeCount }, (_, v) => v);
  if (slots.length <= most) return slots;
  const hashes = slots.map((v) => hashOf(seed, table.nodeOf(v)));
  return slots
    .sort((v, w) => (hashes[v] ?? 0) - (hashes[w] ?? 0) || v - w)
    .slice(0, most)
    .sort((v, w) => v - w);
}
