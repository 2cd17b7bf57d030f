/** The peer: the least highest utilisation as a linear program, solved by HiGHS (https://highs.dev, WebAssembly). */
import { createRequire } from 'node:module';
import type { LegacyHighs } from 'highs';
import type { TrafficNetwork } from '../../steering/traffic-engineering/traffic-network.ts';

export interface LpResult {
  /** Null where HiGHS did not finish in its time, or failed. */
  readonly optimum: number | null;
  readonly ms: number;
  readonly status: string;
}

/** A size at which HiGHS is not tried: the text alone would take hundreds of MB. */
const MOST_VARIABLES = 400_000;

let highs: LegacyHighs | undefined;

/** The optimum for `demand` (destination-major, every pair connected), or null after `seconds`; 0: it is not tried. */
export async function lpOptimum(network: TrafficNetwork, demand: Float64Array, seconds: number): Promise<LpResult> {
  if (network.nodeCount * network.from.length > MOST_VARIABLES) return { optimum: null, ms: 0, status: 'too large' };
  if (seconds === 0) return { optimum: null, ms: 0, status: 'not tried' };
  highs ??= await loadHighs();
  const problem = linearProgram(network, demand);
  const start = performance.now();
  try {
    const solution = highs.solve(problem, { time_limit: seconds, output_flag: false });
    const optimum = solution.Status === 'Optimal' ? solution.ObjectiveValue : null;
    return { optimum, ms: performance.now() - start, status: solution.Status };
  } catch (error) {
    highs = undefined; // an instance that failed is of no use
    return { optimum: null, ms: performance.now() - start, status: `failed: ${String(error)}` };
  }
}

/** Its types describe the CommonJS file, and its WebAssembly lies beside that: so it is not bundled. */
function loadHighs(): Promise<LegacyHighs> {
  return (createRequire(import.meta.url)('highs') as () => Promise<LegacyHighs>)();
}

/**
 * Flow of each destination on each link (x), and U: minimise U such that what a node sends to t less what it gets for t is
 * its demand, and no link carries more than U times its capacity. Rates in parts of the mean capacity.
 */
function linearProgram({ nodeCount, from, to, capacityBps }: TrafficNetwork, demand: Float64Array): string {
  const unit = capacityBps.reduce((sum, each) => sum + each, 0) / capacityBps.length;
  const rows: string[] = ['Minimize', ' obj: U', 'Subject To'];
  const carried: string[][] = Array.from(from, () => []);
  for (let t = 0; t < nodeCount; t++) {
    const row = demand.subarray(t * nodeCount, (t + 1) * nodeCount);
    if (row.every((rate) => rate === 0)) continue;
    const balance: string[][] = Array.from({ length: nodeCount }, () => []);
    for (let link = 0; link < from.length; link++) {
      if (from[link] === t) continue;
      const name = `x${t}_${link}`;
      balance[from[link] ?? 0]?.push(`+ ${name}`);
      balance[to[link] ?? 0]?.push(`- ${name}`);
      carried[link]?.push(`+ ${name}`);
    }
    for (let v = 0; v < nodeCount; v++) {
      if (v === t || balance[v]?.length === 0) continue;
      rows.push(` b${t}_${v}: ${balance[v]?.join('\n ')} = ${(row[v] ?? 0) / unit}`);
    }
  }
  for (let link = 0; link < from.length; link++) {
    rows.push(` c${link}: ${carried[link]?.join('\n ')} - ${(capacityBps[link] ?? 0) / unit} U <= 0`);
  }
  return [...rows, 'End'].join('\n');
}
