/** `bench -- te-plot`: the utilisation of every link of one instance, before and after, as a drawing (SVG). */
import { writeFileSync } from 'node:fs';
import { ThalwegError } from '../../protocol/error.ts';
import { optimise } from '../../steering/traffic-engineering/optimise.ts';
import { repetitaNetwork } from '../../steering/traffic-engineering/repetita-network.ts';
import { shortestLoads } from '../../steering/traffic-engineering/shortest-tables.ts';
import { demandByDestination } from '../../steering/traffic-engineering/traffic-demand.ts';
import { text, type Values } from '../values.ts';
import { trafficInstances } from './repetita-files.ts';

export const TE_PLOT_KEYS = ['data', 'instance', 'out'] as const;

const WIDTH = 760;
const HEIGHT = 340;
const LEFT = 56;
const BOTTOM = 44;
const TOP = 40;

/** Draws `--instance` of `--data` to `--out`. */
export async function plotUtilisation(values: Values): Promise<unknown> {
  const wanted = text(values, 'instance');
  for (const { name, graph, demand } of trafficInstances(text(values, 'data'))) {
    if (name !== wanted) continue;
    const network = repetitaNetwork(graph);
    const matrix = demandByDestination(demand, network.nodeCount);
    const plan = optimise(network, demand);
    const utilisation = (bps: Float64Array): number[] =>
      Array.from(bps, (each, link) => each / (network.capacityBps[link] ?? 1)).toSorted((a, b) => b - a);
    const before = utilisation(shortestLoads(network, matrix).linkBps);
    const after = utilisation(plan.loads.linkBps);
    const out = text(values, 'out');
    writeFileSync(out, drawing(name, before, after));
    return { benchmark: 'te-plot', instance: name, before: before[0], after: after[0], out };
  }
  throw new ThalwegError('invalid_argument', `no instance is named ${wanted}`);
}

/** Links along x, the most utilised first on each side; utilisation along y. */
function drawing(name: string, before: readonly number[], after: readonly number[]): string {
  const most = Math.ceil(Math.max(before[0] ?? 1, 1) * 2) / 2;
  const x = (rank: number): number => LEFT + (rank / Math.max(1, before.length - 1)) * (WIDTH - LEFT - 16);
  const y = (utilisation: number): number => HEIGHT - BOTTOM - (utilisation / most) * (HEIGHT - BOTTOM - TOP);
  const line = (side: readonly number[], colour: string): string =>
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${side
      .map((each, rank) => `${x(rank).toFixed(1)},${y(each).toFixed(1)}`)
      .join(' ')}"/>`;
  const label = (at: readonly [number, number], words: string, more = ''): string =>
    `<text x="${at[0]}" y="${at[1]}" ${more}>${words}</text>`;
  const ticks = Array.from({ length: most * 2 + 1 }, (_, k) => k / 2).map(
    (tick) =>
      `<line x1="${LEFT}" x2="${WIDTH - 16}" y1="${y(tick)}" y2="${y(tick)}" stroke="${tick === 1 ? '#888' : '#ddd'}"/>` +
      label([LEFT - 6, y(tick) + 4], `${tick * 100} %`, 'text-anchor="end"'),
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>Utilisation of the links of ${name}: shortest paths ${percent(before[0])} at most, planned ${percent(after[0])}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...ticks,
    line(before, '#c0392b'),
    line(after, '#1f6fb2'),
    label([LEFT, 20], `${name}: utilisation of its ${before.length} links, the most utilised first`, 'font-size="13"'),
    label([WIDTH - 20, 60], `shortest paths: highest ${percent(before[0])}`, 'text-anchor="end" fill="#c0392b"'),
    label([WIDTH - 20, 78], `planned: highest ${percent(after[0])}`, 'text-anchor="end" fill="#1f6fb2"'),
    label([LEFT, HEIGHT - 14], 'links by rank', ''),
    '</svg>',
  ].join('\n')}\n`;
}

function percent(ratio = 0): string {
  return `${(ratio * 100).toFixed(1)} %`;
}
