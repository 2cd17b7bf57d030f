/**
 * Writes clouds.yaml from the Skyplane measurements (`skyplane/latency.csv.gz` of the evaluation data).
 *
 *   node dist/netlab/scenarios/clouds-from-skyplane-program.js --data ../shared/data > netlab/scenarios/clouds.yaml
 *
 * Rows: PREMIUM to PREMIUM tier. RTT of a direction: `min_rtt`, because the lab lays a path without other people's
 * queues. A row with min_rtt < 0.8 max_rtt is a broken sample and takes the value of the reverse direction; a pair
 * broken both ways takes both regions out. A pair's RTT is the mean of its two directions.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { mulberry32 } from '../scenario/churn.ts';

const REGIONS_PER_CLOUD = 4;
const CLOUDS = ['aws', 'azure', 'gcp'] as const;
/** A detour is worth the name when it is this much shorter than the direct way. */
const GAIN = 0.9;
/** Restarts of the hill climb that picks the regions; more find nothing better in this data. */
const RESTARTS = 20;

type Matrix = ReadonlyMap<string, number>;

/** Cleaned RTTs in milliseconds, key `a b`, both orders; and the regions that have one to every other. */
function clean(csv: string): { readonly regions: string[]; readonly rtt: Matrix } {
  const rows = new Map<string, { min: number; broken: boolean }>();
  const header = csv.slice(0, csv.indexOf('\n')).split(',');
  const column = (name: string) => header.indexOf(name);
  for (const line of csv.trim().split('\n').slice(1)) {
    const cells = line.split(',');
    const cell = (name: string) => cells[column(name)] ?? '';
    if (cell('src_tier') !== 'PREMIUM' || cell('dst_tier') !== 'PREMIUM') continue;
    const [min, max] = [Number(cell('min_rtt')), Number(cell('max_rtt'))];
    rows.set(`${cell('src_region')} ${cell('dst_region')}`, { min, broken: !(min >= 0.8 * max) });
  }
  const names = [...new Set([...rows.keys()].map((key) => key.split(' ')[0] ?? ''))].sort();
  const rtt = new Map<string, number>();
  const incomplete = new Set<string>();
  for (const a of names) {
    for (const b of names) {
      if (a === b) continue;
      const good = [rows.get(`${a} ${b}`), rows.get(`${b} ${a}`)].filter((row) => row !== undefined && !row.broken);
      if (good.length === 0) incomplete.add(a).add(b);
      else rtt.set(`${a} ${b}`, good.reduce((sum, row) => sum + (row?.min ?? 0), 0) / good.length);
    }
  }
  return { regions: names.filter((name) => !incomplete.has(name)), rtt };
}

/** Shortest way over any number of regions for each ordered pair (Floyd and Warshall). */
function shortest(regions: readonly string[], rtt: Matrix): Map<string, number> {
  const best = new Map<string, number>();
  for (const a of regions)
    for (const b of regions) best.set(`${a} ${b}`, a === b ? 0 : (rtt.get(`${a} ${b}`) ?? Infinity));
  for (const via of regions) {
    for (const a of regions) {
      for (const b of regions) {
        const detour = (best.get(`${a} ${via}`) ?? Infinity) + (best.get(`${via} ${b}`) ?? Infinity);
        if (detour < (best.get(`${a} ${b}`) ?? Infinity)) best.set(`${a} ${b}`, detour);
      }
    }
  }
  return best;
}

/** Share of ordered pairs that some detour makes at least 10 % shorter. */
function detourShare(regions: readonly string[], rtt: Matrix): number {
  const best = shortest(regions, rtt);
  const pairs = [...best.keys()].filter((key) => rtt.has(key));
  return pairs.filter((key) => (best.get(key) ?? 0) <= GAIN * (rtt.get(key) ?? 0)).length / pairs.length;
}

/** The same number of regions from each cloud with many detours: hill climbing by single exchanges, seeded. */
function pick(regions: readonly string[], rtt: Matrix): string[] {
  const random = mulberry32(1);
  const byCloud = CLOUDS.map((cloud) => regions.filter((name) => name.startsWith(`${cloud}:`)));
  let best: { share: number; chosen: string[] } = { share: -1, chosen: [] };
  for (let restart = 0; restart < RESTARTS; restart++) {
    let chosen = byCloud.flatMap((names) => shuffled(names, random).slice(0, REGIONS_PER_CLOUD));
    let share = detourShare(chosen, rtt);
    for (let better = true; better; ) {
      better = false;
      for (const out of chosen) {
        for (const inn of byCloud.find((names) => names.includes(out)) ?? []) {
          if (chosen.includes(inn)) continue;
          const tried = chosen.map((name) => (name === out ? inn : name));
          const triedShare = detourShare(tried, rtt);
          if (triedShare <= share) continue;
          [chosen, share, better] = [tried, triedShare, true];
          break;
        }
        if (better) break;
      }
    }
    if (share > best.share) best = { share, chosen };
  }
  return best.chosen.sort();
}

function shuffled(names: readonly string[], random: () => number): string[] {
  return names
    .map((name) => ({ name, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ name }) => name);
}

function render(regions: readonly string[], rtt: Matrix): string {
  const hosts = regions.map((region) => region.replace(':', '-'));
  const share = (detourShare(regions, rtt) * 100).toFixed(0);
  const rows = regions.map((a) => {
    const cells = regions.map((b) => (a === b ? 0 : Number((rtt.get(`${a} ${b}`) ?? 0).toFixed(2))));
    return `      - [${cells.join(', ')}] # ${a}`;
  });
  return `# Written by clouds-from-skyplane-program.ts; do not edit by hand.
name: clouds
description: >
  Twelve regions of three clouds with the round-trip times that were measured between them. For ${share} % of the pairs some
  way through other regions is at least 10 % shorter than the direct one; the mesh has to find every one of them.
# Probed less often than by default (200ms): thirteen hosts share the CPUs of one machine, and what they take from one
# another shows up as delay.
probes: { interval: 500ms }
duration: 45s
hosts:
${hosts.map((host) => `  - ${host}`).join('\n')}
underlay:
  rtt-matrix:
    source: >
      Skyplane (Jain et al., NSDI 2023), github.com/skyplane-project/skyplane, profiles/latency.csv at commit 945dca27,
      Apache-2.0; PREMIUM tier, min_rtt in ms; rows with min_rtt < 0.8 max_rtt replaced by the reverse direction; mean of
      both directions
    hosts: [${hosts.join(', ')}]
    rows:
${rows.join('\n')}

pings:
  - { name: steered, pairs: all, count: 10, interval: 200ms, start: 2s, stop: 44s }

expect:
  - joined: { within: 20s }
  - steered: { within: 20s }
  - rtt:
      ping: steered
      statistic: p50
      within: { of: optimum, plus: 1.5ms, percent: 5 }
      mean-within: { of: optimum, percent: 3 }
  - optimal-paths: { plus: 1.5ms, percent: 5 }
  - kernel-tables:
`;
}

const { values } = parseArgs({ options: { data: { type: 'string', default: '../shared/data' } } });
const csv = gunzipSync(await readFile(`${values.data}/skyplane/latency.csv.gz`)).toString('utf8');
const { regions, rtt } = clean(csv);
process.stdout.write(render(pick(regions, rtt), rtt));
