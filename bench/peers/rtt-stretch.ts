/** RTT of every pair over the best that the underlay has, over real delays between regions of clouds. */
import { join } from 'node:path';
import { pairKey } from '../../netlab/scenario/scenario.ts';
import { readScenario } from '../../netlab/scenario/scenario-file.ts';
import { percentile } from '../../netlab/traffic/percentile.ts';
import { parsePing, pingArgv } from '../../netlab/traffic/ping-series.ts';
import { projectRoot } from '../../protocol/program-file.ts';
import type { Arena } from './arena.ts';

/** Each runs a wireguard-go per tunnel where the kernel has none: 56 of them. */
export const STRETCH_HOSTS = 8;
const PINGS = 8;
const INTERVAL_MS = 250;

/** Microseconds of RTT between the first hosts of the scenario `clouds`, by number. */
export async function cloudRtts(): Promise<number[][]> {
  const scenario = await readScenario(join(projectRoot(), 'netlab/scenarios/clouds.yaml'));
  const names = scenario.hosts.slice(0, STRETCH_HOSTS).map(({ name }) => name);
  const oneWay = (from: string, to: string) => scenario.shapes.get(pairKey(from, to))?.oneWayDelayUs ?? 0;
  return names.map((from) => names.map((to) => (from === to ? 0 : oneWay(from, to) + oneWay(to, from))));
}

/** Shortest RTT over any number of hops (Floyd and Warshall). Pure. */
export function bestRtts(direct: readonly (readonly number[])[]): number[][] {
  const best = direct.map((row) => [...row]);
  for (let via = 0; via < best.length; via++) {
    for (const row of best) {
      for (let to = 0; to < row.length; to++) {
        row[to] = Math.min(row[to] ?? Infinity, (row[via] ?? Infinity) + (best[via]?.[to] ?? Infinity));
      }
    }
  }
  return best;
}

export interface Stretch {
  readonly pairs: number;
  readonly mean: number;
  readonly worst: number;
  /** Pairs more than 10 % above the best. */
  readonly overTenPercent: number;
  /** What everybody would have on direct links. */
  readonly meanOfDirect: number;
  readonly noAnswer: number;
}

/** Median ping of every ordered pair. `hosts` in the order of the matrices. */
export async function measureStretch(arena: Arena, hosts: readonly string[], directUs: number[][]): Promise<Stretch> {
  const best = bestRtts(directUs);
  const ratios: number[] = [];
  const direct: number[] = [];
  let noAnswer = 0;
  for (const [i, from] of hosts.entries()) {
    const seen = await Promise.all(
      hosts.map(async (to) => (to === from ? null : medianRttUs(arena, from, await arena.mesh.addressOf(to)))),
    );
    for (const [j, rttUs] of seen.entries()) {
      if (i === j) continue;
      const optimum = best[i]?.[j] ?? Number.NaN;
      direct.push((directUs[i]?.[j] ?? Number.NaN) / optimum);
      if (rttUs === null) noAnswer++;
      else ratios.push(rttUs / optimum);
    }
  }
  const mean = (values: readonly number[]) => round(values.reduce((sum, value) => sum + value, 0) / values.length);
  return {
    pairs: hosts.length * (hosts.length - 1),
    mean: mean(ratios),
    worst: round(Math.max(...ratios)),
    overTenPercent: ratios.filter((ratio) => ratio > 1.1).length,
    meanOfDirect: mean(direct),
    noAnswer,
  };
}

async function medianRttUs(arena: Arena, from: string, address: string): Promise<number | null> {
  const argv = pingArgv({ address, family: 4, intervalMs: INTERVAL_MS, count: PINGS, deadlineS: 10 });
  const { stdout } = await arena.lab.exec(from, argv);
  const rtts = parsePing(stdout).replies.map(({ rttUs }) => rttUs);
  return percentile(
    rtts.sort((a, b) => a - b),
    50,
  );
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
