/** A scenario that has been read and checked: every name resolves, every quantity is a number, every time is in range. */
import type { LinkShape } from '../link-shape.ts';

/** Fields of a shape that an event sets; the others stay as they are. */
export type ShapeChange = Partial<Omit<LinkShape, 'cut'>>;

export interface ScenarioHost {
  readonly name: string;
  /** May forward for others. */
  readonly transit: boolean;
  /** `now`: before t = 0. `later`: by a `join` event. */
  readonly joins: 'now' | 'later';
}

/** One direction from host to host, by name. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

export type ScenarioAction =
  | { readonly kind: 'degrade'; readonly links: readonly Direction[]; readonly change: ShapeChange }
  | { readonly kind: 'cut'; readonly links: readonly Direction[] }
  | { readonly kind: 'heal'; readonly links: readonly Direction[] }
  | { readonly kind: 'partition'; readonly links: readonly Direction[] }
  | { readonly kind: HostActionKind; readonly host: string }
  | { readonly kind: 'core-kill' | 'core-start' };

export const HOST_ACTIONS = [
  'kill',
  'stop-agent',
  'start-agent',
  'leave',
  'join',
  'power-off',
  'power-on',
  'drain',
  'resume',
] as const;
export type HostActionKind = (typeof HOST_ACTIONS)[number];

export interface ScenarioEvent {
  /** After t = 0. */
  readonly atMs: number;
  /** Null: without a name. */
  readonly name: string | null;
  readonly action: ScenarioAction;
  /** One line for people, e.g. `degrade aws <-> onprem: delay 50 ms`. */
  readonly what: string;
}

export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface ScenarioFlow extends TimeWindow {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly packetsPerSecond: number;
  /** UDP payload. */
  readonly sizeBytes: number;
  readonly family: 4 | 6;
}

export interface ScenarioPing extends TimeWindow {
  readonly name: string;
  /** `all`: every ordered pair in turn, `count` requests each; else one pair for the whole window. */
  readonly pairs: 'all' | Direction;
  readonly intervalMs: number;
  /** Requests per pair; null: as many as fit the window. */
  readonly count: number | null;
  readonly family: 4 | 6;
}

export const RTT_STATISTICS = ['min', 'p50', 'p95', 'p99', 'mean', 'max'] as const;
export type RttStatistic = (typeof RTT_STATISTICS)[number];

/** A bound relative to the optimum of the matrix: optimum + plusUs + percent of the optimum. */
export interface OptimumBound {
  readonly plusUs: number;
  readonly percent: number;
}

export interface CountBound {
  readonly atLeast: number | null;
  readonly atMost: number | null;
}

export type ScenarioExpectation =
  | {
      readonly kind: 'rtt';
      readonly ping: string;
      readonly statistic: RttStatistic;
      readonly atMostUs: number | null;
      readonly atLeastUs: number | null;
      readonly within: OptimumBound | null;
      /** On the mean over pairs of RTT / optimum. */
      readonly meanWithin: OptimumBound | null;
      readonly window: TimeWindow | null;
    }
  | {
      readonly kind: 'lost' | 'duplicated' | 'reordered';
      readonly flow: string;
      readonly atMost: number;
      readonly window: TimeWindow | null;
    }
  | { readonly kind: 'outage'; readonly flow: string; readonly atMostUs: number; readonly window: TimeWindow | null }
  | {
      readonly kind: 'path';
      readonly from: string;
      readonly to: string;
      readonly path: readonly string[];
      readonly byMs: number;
      /** Null: the path only has to be seen by then; else it has to hold until then. */
      readonly untilMs: number | null;
    }
  | {
      readonly kind: 'path-changes';
      /** Null: all pairs together. */
      readonly pairs: readonly Direction[] | null;
      readonly bound: CountBound;
      readonly window: TimeWindow;
    }
  | { readonly kind: 'converged'; readonly byMs: number }
  | { readonly kind: 'joined' | 'steered'; readonly withinMs: number }
  | {
      readonly kind: 'routes-touched';
      readonly hosts: readonly string[];
      /** Next-hop objects count too: local repair replaces them, routes stay. */
      readonly nextHops: boolean;
      readonly atMost: number;
      readonly window: TimeWindow;
    }
  | { readonly kind: 'optimal-paths'; readonly bound: OptimumBound; readonly hosts: readonly string[] }
  | { readonly kind: 'kernel-tables' }
  | {
      readonly kind: 'leaks';
      readonly memoryBytes: number;
      readonly descriptors: number;
      readonly processes: number;
    };

export interface Scenario {
  readonly file: string;
  readonly name: string;
  readonly description: string;
  readonly driver: 'auto' | 'plain' | 'netem' | 'wire';
  readonly hosts: readonly ScenarioHost[];
  /** How the core has links probed; null: as a core does by default. */
  readonly probes: { readonly probeIntervalMs: number; readonly deadAfterMs: number } | null;
  /** How soon agents find dead links; null: as they do by default. */
  readonly detect: 'normal' | 'fast' | null;
  /** Own shape of every ordered pair of hosts, the core's included; key from `pairKey`. */
  readonly shapes: ReadonlyMap<string, LinkShape>;
  readonly durationMs: number;
  /** How long to wait at most for the mesh to be steered before t = 0. */
  readonly settleMs: number;
  readonly flows: readonly ScenarioFlow[];
  readonly pings: readonly ScenarioPing[];
  /** By time; those of `churn` are among them. */
  readonly events: readonly ScenarioEvent[];
  readonly expectations: readonly ScenarioExpectation[];
}

/** Key of an ordered pair; host names never contain `>`. */
export function pairKey(from: string, to: string): string {
  return `${from}>${to}`;
}

/** Every ordered pair of different names, in order. */
export function orderedPairs(names: readonly string[]): Direction[] {
  return names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
}
