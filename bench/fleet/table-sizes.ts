/** Entries of transit nodes' tables: one row for each node, as the engine aggregates, and the fewest possible. */
import { NO_LABEL, Ortc } from '../../steering/aggregation/ortc.ts';
import { NO_HOME, PrefixTrie } from '../../steering/aggregation/prefix-trie.ts';
import { quantile } from '../quantile.ts';
import type { LoadedFleet } from './fleet-load.ts';

export interface TableSizes {
  readonly movedLeaves: number;
  readonly movedPercent: number;
  /** One entry for each node but oneself. */
  readonly plain: number;
  /** Median and largest over the sampled transit nodes; then the median by kind of entry. */
  readonly aggregated: { median: number; most: number; blocks: number; moved: number; own: number };
  /** The fewest entries that forward alike, and the engine's on the same few nodes: medians. */
  readonly optimal: { fewest: number; engine: number };
}

/** Transit nodes looked at, and those for which the optimum is computed, which takes a second each. */
const SAMPLED = 100;
const OPTIMA = 3;

export function tableSizes(fleet: LoadedFleet): TableSizes {
  const { engine, graph } = fleet;
  const slots = [...graph.slots()];
  const step = Math.max(1, Math.floor(slots.length / SAMPLED));
  const sampled = slots.filter((_, i) => i % step === 0);
  const sizes = sampled.map((slot) => engine.transitTables.sizeOf(slot));
  const totals = sizes.map(({ blocks, moved, own }) => blocks + moved + own);
  const optimized = sampled.filter((_, i) => i % Math.ceil(sampled.length / OPTIMA) === 0);
  return {
    movedLeaves: engine.transitTables.movedCount,
    movedPercent: Math.round((10_000 * engine.transitTables.movedCount) / Math.max(1, engine.leafCount)) / 100,
    plain: engine.leafCount + slots.length - 1,
    aggregated: {
      median: quantile(totals, 0.5),
      most: quantile(totals, 1),
      blocks: quantile(
        sizes.map((size) => size.blocks),
        0.5,
      ),
      moved: quantile(
        sizes.map((size) => size.moved),
        0.5,
      ),
      own: quantile(
        sizes.map((size) => size.own),
        0.5,
      ),
    },
    optimal: {
      fewest: quantile(
        optimized.map((slot) => fewest(fleet, slot)),
        0.5,
      ),
      engine: quantile(
        optimized.map((slot) => totals[sampled.indexOf(slot)] ?? 0),
        0.5,
      ),
    },
  };
}

/** ORTC over everything: blocks, moved leaves, and the node's own leaves, each of which has a next hop of its own. */
function fewest({ engine, graph, trees, leaf }: LoadedFleet, node: number): number {
  const { blocks, homes } = engine;
  const trie = new PrefixTrie(blocks.trie.bits);
  const { child, effective, first, freeBits, size } = blocks.trie;
  for (let at = 0; at < size; at++) {
    const home = effective[at] ?? NO_HOME;
    if ((child[at] ?? -1) < 0 && home !== NO_HOME) trie.insert(first[at] ?? 0, freeBits[at] ?? 0, home);
  }
  const labels: number[] = Array.from({ length: graph.slotCount }, (_, home) => {
    const next = trees.table.predecessorOf(home, node);
    return next < 0 ? NO_LABEL : next;
  });
  for (const index of leaf) {
    const home = homes.home[index] ?? NO_HOME;
    if (home === node) {
      trie.insert(index, 0, labels.length);
      labels.push(labels.length);
    } else if (home !== blocks.ownerOf(index) && home !== NO_HOME) {
      trie.insert(index, 0, home);
    }
  }
  return new Ortc().aggregate(trie, Uint16Array.from(labels), new Uint16Array(trie.size));
}

/** Moves random leaves to another of their transit nodes until `count` hang elsewhere than where their block is. */
export function moveUntil({ engine, model, leaf, transit, graph }: LoadedFleet, count: number, nowMs: number): void {
  const { links } = model.options;
  let missing = count - engine.transitTables.movedCount;
  for (let tries = 0; missing > 0 && tries < 20 * count; tries++) {
    const v = Math.floor(model.random() * leaf.length);
    const index = leaf[v] ?? 0;
    const owner = engine.blocks.ownerOf(index);
    const at = v * links + Math.floor(model.random() * links);
    const other = graph.slotOf(transit[model.leafTransit[at] ?? 0] ?? 0);
    if (engine.homes.home[index] !== owner || other === undefined || other === owner) continue;
    engine.homes.place(index, other);
    missing--;
  }
  engine.step(nowMs, () => undefined);
}
