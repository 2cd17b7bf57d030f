/**
 * `bench -- backups`: what backups of all nodes towards all destinations of a graph cost, and how many pairs have one.
 */

import { seededRandom } from '../netlab/seeded-random.ts';
import { ThalwegError } from '../protocol/error.ts';
import { BackupCoverage } from '../steering/spf/backup/coverage.ts';
import { AlternateRow, LINK, NODE, selectAlternates } from '../steering/spf/backup/loop-free-alternates.ts';
import { NextHopTree } from '../steering/spf/backup/next-hop-tree.ts';
import { PostConvergence } from '../steering/spf/backup/post-convergence.ts';
import { RemoteAlternates } from '../steering/spf/backup/remote-alternates.ts';
import { PathTable } from '../steering/spf/path-table.ts';
import { fillPlainly } from '../steering/spf/plain-rows.ts';
import { quantile } from './quantile.ts';
import { readGraphFile } from './spf/graph-file.ts';
import { wholeBelow } from './spf/random.ts';
import { text, type Values, whole } from './values.ts';

export const BACKUPS_KEYS = ['graph', 'rounds', 'sources', 'seed'] as const;

/** The cost function's price of one transit node (docs/steering.md). */
const TRANSIT_HOP_US = 250;
/** Tables of more are not for this benchmark: they take more than 2 GB. */
const MOST_NODES = 16_000;

export async function benchBackups(values: Values): Promise<unknown> {
  const file = text(values, 'graph');
  const rounds = whole(values, 'rounds', { otherwise: 5 });
  const samples = whole(values, 'sources', { otherwise: 2_000, most: 1_000_000 });
  const seed = whole(values, 'seed', { otherwise: 1, least: 0, most: 2 ** 31 - 1 });
  const graph = await readGraphFile(file);
  const n = graph.slotCount;
  if (n < 2 || n > MOST_NODES) {
    throw new ThalwegError('invalid_argument', `${file} has ${n} nodes, not 2 to ${MOST_NODES}`, {
      nextStep: 'give a smaller graph: its tables of all pairs must fit memory',
    });
  }
  const table = PathTable.allocate(n);
  const treesMs = timed(() => fillPlainly({ graph, arcs: graph.into, transitHopUs: TRANSIT_HOP_US }, table));

  const tree = new NextHopTree();
  const row = new AlternateRow();
  const roots = [...graph.slots()];
  const allMs = Array.from({ length: rounds }, () =>
    timed(() => {
      for (const root of roots) {
        tree.loadRow(root, n, table);
        selectAlternates(graph, tree, TRANSIT_HOP_US, row);
      }
    }),
  ).sort((a, b) => a - b);

  const coverage = new BackupCoverage();
  const rows = roots.map((root) => {
    const kept = new AlternateRow();
    tree.loadRow(root, n, table);
    selectAlternates(graph, tree, TRANSIT_HOP_US, kept);
    coverage.add(tree, kept);
    return kept;
  });
  const byRoot = new Map(roots.map((root, i) => [root, rows[i] as AlternateRow]));
  const at = (root: number) => byRoot.get(root) as AlternateRow;
  const remote = new RemoteAlternates({ graph, trees: table, alternates: at }, TRANSIT_HOP_US);
  let asked = 0;
  const remoteMs = timed(() => {
    for (const node of roots) {
      remote.from(node);
      for (const root of roots) {
        const next = table.predecessorOf(root, node);
        if (next < 0) continue;
        const protection = at(root).protection[node] ?? 0;
        for (const [protect, bit] of [['link', LINK] as const, ['node', NODE] as const]) {
          if ((protection & bit) !== 0 || (protect === 'node' && next === root)) continue;
          asked++;
          if (remote.find(root, protect) !== null) coverage.addRemote(protect);
        }
      }
    }
  });

  const after = new PostConvergence();
  const next = seededRandom(seed);
  const perFailureUs: number[] = [];
  const ratios: number[] = [];
  for (let i = 0; i < samples; i++) {
    const root = roots[wholeBelow(next, roots.length)] ?? 0;
    const node = roots[wholeBelow(next, roots.length)] ?? 0;
    const hop = table.predecessorOf(root, node);
    if (hop < 0) continue;
    tree.loadRow(root, n, table);
    perFailureUs.push(
      1_000 * timed(() => after.compute(graph, tree, TRANSIT_HOP_US, { kind: 'link', a: node, b: hop })),
    );
    const alternate = at(root).alternate[node] ?? -1;
    if (alternate < 0) continue;
    const transitUs = alternate === root ? 0 : TRANSIT_HOP_US;
    ratios.push((graph.weight(node, alternate) + transitUs + (tree.distance[alternate] ?? 0)) / after.distance(node));
  }
  const shares = coverage.shares();
  return {
    benchmark: 'backups',
    graph: file,
    nodes: graph.nodeCount,
    arcs: roots.reduce((sum, slot) => sum + (graph.out.length[slot] ?? 0), 0),
    treesMs: round(treesMs),
    alternates: {
      pairs: shares.pairs,
      medianMs: round(quantile(allMs, 0.5)),
      leastMs: round(allMs[0] ?? 0),
      mostMs: round(allMs.at(-1) ?? 0),
      nsPerPair: round((quantile(allMs, 0.5) * 1e6) / shares.pairs),
    },
    remote: { asked, ms: round(remoteMs), usPerPair: asked === 0 ? 0 : round((remoteMs * 1_000) / asked) },
    coverage: Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, Math.round(share * 1e5) / 1e5])),
    afterLinkFailure: {
      samples: perFailureUs.length,
      medianUs: round(quantile(perFailureUs, 0.5)),
      p99Us: round(quantile(perFailureUs, 0.99)),
    },
    alternateOverBestWayLeft: {
      mean: Math.round((ratios.reduce((sum, r) => sum + r, 0) / Math.max(1, ratios.length)) * 1e4) / 1e4,
      p99: Math.round(quantile(ratios, 0.99, 1) * 1e4) / 1e4,
    },
  };
}

function timed(run: () => void): number {
  const startMs = performance.now();
  run();
  return performance.now() - startMs;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
