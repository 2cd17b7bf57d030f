/**
 * `bench -- spf-graph`: random graphs of the shape that a fleet has, from a seed. Transit nodes lie on a square of 60 ms;
 * links join random pairs, and each node its follower, so that the graph is connected. A link's weight is
 * 500 us plus its length plus up to half of that; both directions differ. A leaf has links to random transit nodes.
 */

import { seededRandom } from '../../netlab/seeded-random.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { wholeBelow } from './random.ts';

export interface GeneratedGraphOptions {
  /** Transit nodes, numbered from 1. */
  readonly nodes: number;
  /** Directed arcs between transit nodes: even, at least two per node. */
  readonly links: number;
  /** Nodes that do not forward, numbered after the transit nodes. */
  readonly leaves: number;
  /** Links of a leaf, each of two arcs. */
  readonly leafLinks: number;
  readonly seed: number;
}

/** The side of the square, in microseconds; and the floor that the cost function keeps under a weight. */
const SIDE_US = 60_000;
const FLOOR_US = 500;

/** The file, in pieces. Throws `invalid_argument` when so many links cannot be placed. */
export function* generatedGraph(options: GeneratedGraphOptions): Generator<string> {
  const { nodes, links, leaves, leafLinks, seed } = options;
  const pairs = links / 2;
  if (!Number.isInteger(pairs) || nodes < 3 || pairs < nodes || pairs > (nodes * (nodes - 1)) / 4) {
    throw new ThalwegError('invalid_argument', `${links} links cannot be spread over ${nodes} nodes`, {
      nextStep: 'give an even number, from two per node to half of all ordered pairs',
    });
  }
  if (leafLinks > nodes)
    throw new ThalwegError('invalid_argument', `--leaf-links ${leafLinks} is over --nodes ${nodes}`);
  const random = seededRandom(seed);
  const x = Float64Array.from({ length: nodes }, () => random() * SIDE_US);
  const y = Float64Array.from({ length: nodes }, () => random() * SIDE_US);
  const weight = (a: number, b: number): number => {
    const length = Math.hypot((x[a] ?? 0) - (x[b] ?? 0), (y[a] ?? 0) - (y[b] ?? 0));
    return Math.round(FLOOR_US + length * (1 + random() / 2));
  };
  const bothWays = (a: number, b: number): string =>
    `a ${a + 1} ${b + 1} ${weight(a, b)}\na ${b + 1} ${a + 1} ${weight(a, b)}\n`;

  yield `c ${nodes} transit nodes, ${links} arcs between them, ${leaves} leaves of ${leafLinks} links, seed ${seed}\n`;
  yield `p sp ${nodes + leaves} ${links + 2 * leaves * leafLinks}\n`;
  if (leaves > 0) yield `c thalweg transit 1 ${nodes}\n`;
  const taken = new Set<number>();
  for (let count = 0; count < pairs; ) {
    const a = count < nodes ? count : wholeBelow(random, nodes);
    const b = count < nodes ? (count + 1) % nodes : wholeBelow(random, nodes);
    const key = Math.min(a, b) * nodes + Math.max(a, b);
    if (a === b || taken.has(key)) continue;
    taken.add(key);
    count++;
    yield bothWays(a, b);
  }
  for (let leaf = nodes; leaf < nodes + leaves; leaf++) {
    const homes = new Set<number>();
    while (homes.size < leafLinks) homes.add(wholeBelow(random, nodes));
    let text = '';
    for (const home of homes) {
      const us = FLOOR_US + wholeBelow(random, 20_000);
      text += `a ${leaf + 1} ${home + 1} ${us}\na ${home + 1} ${leaf + 1} ${us + wholeBelow(random, 500)}\n`;
    }
    yield text;
  }
}
