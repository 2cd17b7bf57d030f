import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { AllPairs, type AllPairsKernel, type AllPairsRules } from '../../steering/spf/all-pairs.ts';
import { PathTable } from '../../steering/spf/path-table.ts';
import { fillPlainly } from '../../steering/spf/plain-rows.ts';
import { graphOf, type SpfNet, spfNets } from './spf-nets.ts';

/** What means something of a table: rows, without the padding. */
function contents(table: PathTable) {
  const rows = [...Array(table.capacity).keys()];
  return rows.map((root) => {
    const from = root * table.stride;
    const to = from + table.capacity;
    return [table.distance, table.predecessor, table.hops].map((column) => column.slice(from, to).join(' '));
  });
}

function oracle({ graph, direction, transitHopUs }: AllPairsRules) {
  const table = PathTable.allocate(graph.slotCount);
  fillPlainly({ graph, arcs: graph[direction], transitHopUs }, table);
  return contents(table);
}

const direction = fc.constantFrom('out' as const, 'into' as const);
const price = fc.constantFrom(0, 250);

/** Enough slots and arcs for rounds with pruning; weights from few to many, so with and without ties. */
const bigNets: fc.Arbitrary<SpfNet> = fc
  .record({
    seed: fc.nat(),
    size: fc.integer({ min: 256, max: 330 }),
    // the greatest leave less than a bit for ranks, so that arcs share them
    mostWeight: fc.constantFrom(3, 40, 90_000, 4_000_000),
    stub: fc.integer({ min: 2, max: 30 }),
  })
  .map(({ seed, size, mostWeight, stub }) => {
    let state = seed + 1;
    const below = (n: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % n;
    };
    const arcs = new Map<number, readonly [number, number, number]>();
    while (arcs.size < size * 10) {
      const [from, to] = [below(size), below(size)];
      if (from !== to) arcs.set(from * size + to, [from, to, 1 + below(mostWeight)]);
    }
    return { seed, transit: Array.from({ length: size }, (_, v) => v % stub !== 0), arcs: [...arcs.values()] };
  });

describe.each<AllPairsKernel>(['webassembly', 'typescript'])('all pairs by %s', (kernel) => {
  it('are those of the plain rows, on small graphs of every shape', { timeout: 120_000 }, async () => {
    const allPairs = new AllPairs({ kernel });
    await fc.assert(
      fc.asyncProperty(spfNets(40), direction, price, async (net, way, transitHopUs) => {
        const rules = { graph: graphOf(net).graph, direction: way, transitHopUs };
        expect(contents(await allPairs.fill(rules))).toEqual(oracle(rules));
        expect(allPairs.kernel).toBe(kernel);
      }),
      { numRuns: 200 },
    );
  });

  it('are those of the plain rows, where arcs are dropped between rounds', { timeout: 120_000 }, async () => {
    const allPairs = new AllPairs({ kernel });
    await fc.assert(
      fc.asyncProperty(bigNets, direction, price, async (net, way, transitHopUs) => {
        const rules = { graph: graphOf(net).graph, direction: way, transitHopUs };
        expect(contents(await allPairs.fill(rules))).toEqual(oracle(rules));
        expect(allPairs.kernel).toBe(kernel);
      }),
      { numRuns: 12 },
    );
  });
});

/** A chain of nodes 0, 1, 2, ... with the same weight both ways. */
function chain(nodes: number, weight: number): CsrGraph {
  const graph = new CsrGraph();
  for (let v = 0; v < nodes; v++) graph.addNode(v + 1, true);
  for (let v = 1; v < nodes; v++) {
    graph.setArc(v - 1, v, weight);
    graph.setArc(v, v - 1, weight);
  }
  graph.commit();
  return graph;
}

describe('the bounds of keys', { timeout: 60_000 }, () => {
  it.each([
    [62, 1, 'webassembly'],
    [63, 1, 'webassembly'],
    [64, 1, 'webassembly'],
    [65, 1, 'webassembly'],
    [1023, 700, 'webassembly'],
    [1024, 700, 'plain'],
    [1025, 1, 'webassembly'],
    [1025, 2000, 'plain'],
    [3, 8_000_000, 'webassembly'],
    [3, 12_000_000, 'plain'],
    [3, 2 ** 31 - 1, 'plain'],
    [60, 600_000, 'plain'],
  ] as const)('hold for a chain of %i nodes with weights of %i us, by %s', async (nodes, weight, kernel) => {
    const rules: AllPairsRules = { graph: chain(nodes, weight), direction: 'out', transitHopUs: 0 };
    const allPairs = new AllPairs();
    const table = await allPairs.fill(rules);
    expect(allPairs.kernel).toBe(kernel);
    expect(table.distanceOf(0, nodes - 1)).toBe((nodes - 1) * weight);
    expect(table.hopsOf(0, nodes - 1)).toBe(nodes - 1);
    expect(table.predecessorOf(0, nodes - 1)).toBe(nodes - 2);
    if (nodes < 100) expect(contents(table)).toEqual(oracle(rules));
  });
});
