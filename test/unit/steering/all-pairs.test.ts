import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { AllPairs, type AllPairsRules } from '../../../steering/spf/all-pairs.ts';
import { laneLimits } from '../../../steering/spf/lanes/lane-fill.ts';
import { PathTable } from '../../../steering/spf/path-table.ts';
import { fillPlainly } from '../../../steering/spf/plain-rows.ts';
import { compileKernel, target } from '../../build-kernel.mjs';
import { buildChild, CHILD_PREFIX } from '../../fake/build-child.ts';

/** 300 nodes with 12 arcs each, weights 1 to `most` units; every fifth node does not forward. */
function someGraph(most: number, unit = 1): CsrGraph {
  const graph = new CsrGraph();
  for (let v = 0; v < 300; v++) graph.addNode(v + 1, v % 5 !== 0);
  for (let v = 0; v < 300; v++) {
    for (let k = 1; k <= 12; k++) graph.setArc(v, (v + k * k * 7 + 1) % 300, (1 + ((v * 31 + k * 7919) % most)) * unit);
  }
  graph.commit();
  return graph;
}

function oracle({ graph, direction, transitHopUs }: AllPairsRules): PathTable {
  const table = PathTable.allocate(graph.slotCount);
  fillPlainly({ graph, arcs: graph[direction], transitHopUs }, table);
  return table;
}

function expectSame(table: PathTable, wanted: PathTable): void {
  for (let root = 0; root < wanted.capacity; root++) {
    const from = root * wanted.stride;
    const to = from + wanted.capacity;
    expect(table.distance.slice(from, to)).toEqual(wanted.distance.slice(from, to));
    expect(table.predecessor.slice(from, to)).toEqual(wanted.predecessor.slice(from, to));
    expect(table.hops.slice(from, to)).toEqual(wanted.hops.slice(from, to));
  }
}

const WebAssemblyOfNode = (globalThis as { WebAssembly?: object }).WebAssembly;
const rules: AllPairsRules = { graph: someGraph(5000), direction: 'into', transitHopUs: 250 };

it('keeps the kernel that its source makes', { timeout: 60_000 }, async () => {
  expect(readFileSync(target, 'utf8')).toBe(await compileKernel());
});

/** 300 nodes in a ring, and arcs from the last `count` of them to the first. */
function hub(count: number): CsrGraph {
  const graph = new CsrGraph();
  for (let v = 0; v < 300; v++) graph.addNode(v + 1, true);
  for (let v = 0; v < 300; v++) graph.setArc(v, (v + 1) % 300, 10);
  for (let v = 300 - count; v < 299; v++) graph.setArc(v, 0, 5);
  graph.commit();
  return graph;
}

// tails are looked up by rank: in vectors of sixteen while ranks have six bits at most, one by one from 64 arcs on
it.each([2, 15, 16, 17, 31, 33, 48, 49, 62, 63, 64, 65, 128, 299])(
  'know which of %i arcs into a node',
  async (count) => {
    const into: AllPairsRules = { graph: hub(count), direction: 'out', transitHopUs: 0 };
    const table = await new AllPairs().fill(into);
    expectSame(table, oracle(into));
    for (let v = 300 - count; v < 300; v++) expect(table.predecessor[v * table.stride]).toBe(v);
  },
);

/** A ring of `nodes`, each joined to the four on either side; `forwards` says which forward. Cut in two where it is `cut`. */
function wideRing(nodes: number, weight: number, forwards: (v: number) => boolean, cut = false): CsrGraph {
  const graph = new CsrGraph();
  const half = cut ? nodes / 2 : nodes;
  for (let v = 0; v < nodes; v++) graph.addNode(v + 1, forwards(v));
  for (let v = 0; v < nodes; v++) {
    const first = Math.floor(v / half) * half;
    for (let k = 1; k <= 4; k++) {
      for (const to of [v + k, v - k + half])
        graph.setArc(v, first + ((to - first) % half), weight * k + ((v + k) % 3));
    }
  }
  graph.commit();
  return graph;
}

// degree 8 and more than 256 slots: paths to hubs are computed first, and taken over
it.each([
  ['many links', wideRing(640, 10, () => true), 'webassembly'],
  ['equal ways', wideRing(300, 3, () => true), 'webassembly'],
  ['two parts', wideRing(320, 10, () => true, true), 'webassembly'],
  ['few that forward', wideRing(280, 10, (v) => v % 4 === 0), 'webassembly'],
  ['none that forward', wideRing(280, 10, () => false), 'webassembly'],
  ['dear links', wideRing(280, 60_000, (v) => v % 7 !== 0), 'webassembly'],
  ['links too dear for keys', wideRing(280, 400_000, () => true), 'plain'],
] as const)('take over paths to hubs: %s', async (_, graph, kernel) => {
  for (const direction of ['out', 'into'] as const) {
    const both: AllPairsRules = { graph, direction, transitHopUs: 7 };
    const allPairs = new AllPairs();
    expectSame(await allPairs.fill(both), oracle(both));
    expect(allPairs.kernel).toBe(kernel);
  }
});

describe('worker threads', { timeout: 60_000 }, () => {
  let folder: string;
  let workerUrl: URL;
  beforeAll(() => {
    folder = mkdtempSync(CHILD_PREFIX);
    workerUrl = pathToFileURL(buildChild('steering/spf/lanes/lane-worker.ts', folder));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([1, 2, 3])('give the same table when there are %i', async (threads) => {
    const allPairs = new AllPairs({ threads, workerUrl });
    try {
      const first = await allPairs.fill(rules);
      expectSame(first, oracle(rules));
      expect(allPairs.kernel).toBe('webassembly');
      const other = { ...rules, graph: someGraph(70_000) };
      const second = await allPairs.fill(other);
      expect(second).toBe(first);
      expectSame(second, oracle(other));
    } finally {
      await allPairs.stop();
    }
  });

  it('compute plainly what no key can hold', async () => {
    const allPairs = new AllPairs({ threads: 2, workerUrl });
    try {
      const long = { ...rules, graph: someGraph(4, 30_000_000) };
      expectSame(await allPairs.fill(long), oracle(long));
      expect(allPairs.kernel).toBe('plain');
    } finally {
      await allPairs.stop();
    }
  });

  it('hand over the error of a row, and work after it', async () => {
    const allPairs = new AllPairs({ threads: 2, workerUrl });
    const graph = someGraph(5000);
    try {
      for (let v = 0; v < 3; v++) {
        graph.addNode(1001 + v, true);
        graph.setArc(v === 0 ? 1 : 299 + v, 300 + v, 2 ** 31 - 1);
      }
      graph.commit();
      await expect(allPairs.fill({ ...rules, graph })).rejects.toMatchObject({ code: 'invalid_argument' });
      expectSame(await allPairs.fill(rules), oracle(rules));
    } finally {
      await allPairs.stop();
    }
  });

  it('are an error when they die, and are replaced by the next computation', async () => {
    const path = join(folder, 'dying-worker.js');
    writeFileSync(
      path,
      "import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(3));",
    );
    const allPairs = new AllPairs({ threads: 2, workerUrl: pathToFileURL(path) });
    await expect(allPairs.fill(rules)).rejects.toMatchObject({ code: 'internal', message: /exit code 3/ });
    writeFileSync(path, "import './steering/spf/lanes/lane-worker.js';");
    try {
      expectSame(await allPairs.fill(rules), oracle(rules));
    } finally {
      await allPairs.stop();
      await allPairs.stop();
    }
  });

  it('refuse a second computation while one runs', async () => {
    const allPairs = new AllPairs({ threads: 1, workerUrl });
    try {
      const running = allPairs.fill(rules);
      await expect(allPairs.fill(rules)).rejects.toMatchObject({ code: 'conflict' });
      await running;
    } finally {
      await allPairs.stop();
    }
  });
});

describe('all pairs in the calling thread', () => {
  it('use TypeScript where WebAssembly is missing, or has no vectors', async () => {
    for (const missing of [undefined, { ...WebAssemblyOfNode, validate: () => false }]) {
      vi.stubGlobal('WebAssembly', missing);
      try {
        const allPairs = new AllPairs();
        expectSame(await allPairs.fill(rules), oracle(rules));
        expect(allPairs.kernel).toBe('typescript');
      } finally {
        vi.unstubAllGlobals();
      }
    }
  });

  it('serve a graph that grows, shrinks and is empty', async () => {
    const allPairs = new AllPairs();
    const graph = someGraph(9);
    expect((await allPairs.fill({ ...rules, graph: new CsrGraph() })).capacity).toBe(0);
    await allPairs.fill({ ...rules, graph });
    graph.removeNode(7);
    for (let v = 0; v < 40; v++) graph.setArc(graph.addNode(2000 + v, true), v + 20, 5);
    graph.commit();
    const grown = { ...rules, graph };
    expectSame(await allPairs.fill(grown), oracle(grown));
  });

  it.each([-1, 0.5, 2 ** 31, Number.NaN])('refuse %d as price of a transit hop', async (transitHopUs) => {
    await expect(new AllPairs().fill({ ...rules, transitHopUs })).rejects.toThrow(`transitHopUs is ${transitHopUs}`);
  });

  it('refuse a number of threads that is none', () => {
    expect(() => new AllPairs({ threads: -1 })).toThrow('threads is -1');
  });
});

describe('limits of keys', () => {
  it.each([
    [1, 6, 0],
    [8_000_000, 6, 0],
    [40_000, 14, 0],
    [1, 6, 7],
    [120_000, 6, 6],
  ])('leave room for a sum: costs of %i us, %i hop bits, %i rank bits', (cost, hopBits, rankBits) => {
    const limits = laneLimits(cost, { hopBits, rankBits });
    const mostKey = (cost * 2 ** hopBits + 1) * 2 ** rankBits + 2 ** rankBits - 1;
    expect(limits).not.toBeNull();
    expect((limits?.unreached ?? 0) + mostKey).toBeLessThan(2 ** 31);
    expect((limits?.unreached ?? 1) % 2 ** (hopBits + rankBits)).toBe(0);
    expect((limits?.unproven ?? 0) + mostKey).toBeLessThanOrEqual(limits?.unreached ?? 0);
  });

  it('are none where costs are too great', () => {
    expect(laneLimits(2 ** 30, { hopBits: 6, rankBits: 0 })).toBeNull();
    expect(laneLimits(2 ** 22, { hopBits: 6, rankBits: 4 })).toBeNull();
  });
});
