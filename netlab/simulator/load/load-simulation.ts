/**
 * An hour of a mesh under load, second by second: demand goes in steps, tables decide where it goes, queues make of it
 * delay and loss, agents report every few seconds what they sent and what their probes saw, and a steering makes new
 * tables of that. Traffic is fluid, divided by weight; senders do not slow down when packets are lost.
 *
 *   demand of the step -> tables in force -> loads -> queues -> probes + noise --+--> steering -> tables, a second later
 *          \-------------------------------> counters + noise -------------------+
 */
import { DemandMatrix } from '../../../steering/demand/demand-matrix.ts';
import { forwardedLoads, highestUtilisation } from '../../../steering/traffic-engineering/forwarded-loads.ts';
import { demandByDestination, type TrafficDemand } from '../../../steering/traffic-engineering/traffic-demand.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import {
  changedGroups,
  routeCount,
  type WeightedTables,
} from '../../../steering/traffic-engineering/weighted-tables.ts';
import { seededRandom } from '../../seeded-random.ts';
import { type LoadedLink, LoadedUnderlay } from './loaded-underlay.ts';
import type { RttNoise } from './rtt-noise.ts';

export interface LoadSimulationOptions {
  readonly seed: number;
  readonly stepSeconds: number;
  readonly reportSeconds: number;
  /** Spread of a counter's rate around the mean rate, as a share: flows come and go. */
  readonly demandNoise: number;
  /** A rate fades so fast in the core's matrix, see DemandOptions. */
  readonly fallMs: number;
}

export const DEFAULT_LOAD_SIMULATION: LoadSimulationOptions = {
  seed: 1,
  stepSeconds: 300,
  reportSeconds: 5,
  demandNoise: 0.1,
  fallMs: 10_000,
};

/** What a steering is told every `reportSeconds`. */
export interface LoadReport {
  readonly nowMs: number;
  /** By link, with noise. */
  readonly links: readonly LoadedLink[];
  readonly demand: TrafficDemand;
}

export interface LoadSteering {
  /** Tables to go by from now on; null: as they are. */
  steer(report: LoadReport): WeightedTables | null;
}

export interface LoadStep {
  readonly step: number;
  /** Highest utilisation of links and accesses: mean over time, and at the end of the step. */
  readonly meanUtilisation: number;
  readonly lastUtilisation: number;
  /** Of all that was sent. 0 to 1. */
  readonly lostShare: number;
  /** Moments at which routes changed; seconds after the step at which they did so last; 0: never. */
  readonly changes: number;
  readonly settledS: number;
  readonly changesAfter60S: number;
  /** Routes that changed at all those moments, as a share of all. */
  readonly movedShare: number;
}

const TICK_MS = 1_000;
/** In which settling after a step is fine. */
const SETTLE_S = 60;

export function simulateLoad(
  network: TrafficNetwork,
  demands: readonly TrafficDemand[],
  start: WeightedTables,
  steering: LoadSteering,
  noise: RttNoise | null,
  options: LoadSimulationOptions = DEFAULT_LOAD_SIMULATION,
): LoadStep[] {
  const { stepSeconds, reportSeconds, seed, fallMs } = options;
  const underlay = new LoadedUnderlay(network);
  const measured = new DemandMatrix({ fallMs });
  const next = seededRandom(seed ^ 0x10ad);
  const links = Array.from(network.from, (): LoadedLink => ({ rttUs: 0, lossOut: 0, lossIn: 0 }));
  let tables = start;
  let coming: WeightedTables | null = null;
  return demands.map((demand, step) => {
    const matrix = demandByDestination(demand, network.nodeCount);
    const senders = bySender(demand, network.nodeCount);
    let loads = forwardedLoads(network, tables, matrix);
    const sum = { utilisation: 0, lost: 0, changes: 0, settledS: 0, late: 0, moved: 0 };
    let utilisation = 0;
    let lost = 0;
    const load = () => {
      underlay.carry(loads);
      utilisation = highestUtilisation(network, loads);
      lost = lostShare(network, underlay, tables, matrix);
    };
    load();
    for (let second = 0; second < stepSeconds; second++) {
      const nowMs = (step * stepSeconds + second) * TICK_MS;
      if (coming !== null) {
        const moved = changedGroups(tables, coming);
        if (moved > 0) {
          sum.changes++;
          sum.moved += moved / routeCount(coming);
          sum.settledS = second;
          if (second > SETTLE_S) sum.late++;
        }
        tables = coming;
        coming = null;
        loads = forwardedLoads(network, tables, matrix);
        load();
      }
      for (let v = second % reportSeconds; v < network.nodeCount; v += reportSeconds) {
        measured.report(v + 1, counted(senders[v] ?? [], demand, options.demandNoise, next), nowMs);
      }
      for (let link = second % reportSeconds; link < links.length; link += reportSeconds) {
        const seen = underlay.see(link);
        links[link] = {
          ...seen,
          rttUs: seen.rttUs + (network.rttUs[link] ?? 0) * ((noise?.factor(link, nowMs) ?? 1) - 1),
        };
      }
      sum.utilisation += utilisation;
      sum.lost += lost;
      if (second % reportSeconds === reportSeconds - 1) {
        coming = steering.steer({ nowMs, links, demand: demandOf(measured, nowMs) });
      }
    }
    return {
      step,
      meanUtilisation: sum.utilisation / stepSeconds,
      lastUtilisation: utilisation,
      lostShare: sum.lost / stepSeconds,
      changes: sum.changes,
      settledS: sum.settledS,
      changesAfter60S: sum.late,
      movedShare: sum.moved,
    };
  });
}

/** Rows of the demand by sender. */
function bySender({ from }: TrafficDemand, nodeCount: number): number[][] {
  const rows = Array.from({ length: nodeCount }, (): number[] => []);
  for (const [row, sender] of from.entries()) rows[sender]?.push(row);
  return rows;
}

/** What a node's counters say it sent to each peer since its last report, as a rate. */
function counted(
  rows: readonly number[],
  { to, rateBps }: TrafficDemand,
  spread: number,
  next: () => number,
): { peerIndex: number; bytesPerSecond: number }[] {
  return rows.map((row) => {
    const noise = 1 + spread * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return { peerIndex: (to[row] ?? 0) + 1, bytesPerSecond: ((rateBps[row] ?? 0) / 8) * Math.max(0, noise) };
  });
}

function demandOf(measured: DemandMatrix, nowMs: number): TrafficDemand {
  const pairs = measured.pairs(nowMs);
  return {
    from: Int32Array.from(pairs, (pair) => pair.from - 1),
    to: Int32Array.from(pairs, (pair) => pair.to - 1),
    rateBps: Float64Array.from(pairs, (pair) => pair.bytesPerSecond * 8),
  };
}

/** Share of the demand that is dropped on its way; every queue as if it met all that was sent into the path before it. */
function lostShare(
  network: TrafficNetwork,
  underlay: LoadedUnderlay,
  { start, link: links, weight }: WeightedTables,
  demand: Float64Array,
): number {
  const n = network.nodeCount;
  const passes = Float64Array.from(network.from, (_, link) => 1 - underlay.see(link).lossOut);
  let [lost, offered] = [0, 0];
  const arrives = new Float64Array(n);
  for (let t = 0; t < n; t++) {
    arrives.fill(Number.NaN);
    arrives[t] = 1;
    // the groups of a destination have no loop
    const follow = (v: number): number => {
      const known = arrives[v] ?? 0;
      if (!Number.isNaN(known)) return known;
      let [sum, all] = [0, 0];
      for (let k = start[t * n + v] ?? 0; k < (start[t * n + v + 1] ?? 0); k++) {
        const link = links[k] ?? 0;
        sum += (weight[k] ?? 0) * (passes[link] ?? 0) * follow(network.to[link] ?? 0);
        all += weight[k] ?? 0;
      }
      arrives[v] = all === 0 ? 0 : sum / all;
      return arrives[v] ?? 0;
    };
    for (let v = 0; v < n; v++) {
      const bps = demand[t * n + v] ?? 0;
      if (bps === 0) continue;
      offered += bps;
      lost += bps * (1 - follow(v));
    }
  }
  return offered === 0 ? 0 : lost / offered;
}
