/** `thalweg plan`: from files to a report, and what it says of files that are wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runInProcess } from './cli-harness.ts';

/** a - b direct at 100 Mbit/s, and by c at 100 Mbit/s: a sends b 150 Mbit/s. d hangs on nothing. Delays in ms. */
const GRAPH = `NODES 4
label x y
a 0.0 0.0
b 0.0 0.0
c 0.0 0.0
d 0.0 0.0

EDGES 6
label src dest weight bw delay
e0 0 1 1 100000 5
e1 1 0 1 100000 5
e2 0 2 1 100000 4
e3 2 0 1 100000 4
e4 2 1 1 100000 4
e5 1 2 1 100000 4
`;
const DEMANDS = `DEMANDS 2
label src dest bw
d0 0 1 150000
d1 0 3 1000
`;

let folder = '';
const write = (name: string, content: string | Buffer): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thalweg-plan-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('prints before and after, the worst links, twice the demand, and what cannot be delivered', async () => {
  const graph = write('net.graph', GRAPH);
  write('net.0000.demands.gz', gzipSync(DEMANDS));
  const { code, out, err } = await runInProcess(['plan', graph]);
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toMatchInlineSnapshot(`
    "network  4 nodes, 6 links
    demand   2 pairs, 151 Mbit/s
    tables   6 routes, 1 off the shortest path, 1 with more than one next hop

                             SHORTEST PATHS  PLANNED
    highest utilisation             150.0 %   75.0 %
    mean RTT of the traffic         10.0 ms  13.0 ms
    No routing whatever is below 75.0 %.

    Worst links
    FROM  TO    CAPACITY   BEFORE   AFTER
    a     b   100 Mbit/s  150.0 %  75.0 %
    a     c   100 Mbit/s    0.0 %  75.0 %
    c     b   100 Mbit/s    0.0 %  75.0 %
    b     a   100 Mbit/s    0.0 %   0.0 %
    c     a   100 Mbit/s    0.0 %   0.0 %
    b     c   100 Mbit/s    0.0 %   0.0 %

    At 2x demand: highest utilisation 150.0 % with these tables, 150.0 % planned anew; 3 links are over capacity, 66.7 % of every demand fits.

    warning: no path connects 1 pair: 1 Mbit/s cannot be delivered
    "
  `);
});

test('--json gives the same as one object', async () => {
  const graph = write('net.graph', GRAPH);
  const demands = write('other.demands', DEMANDS);
  const { code, out } = await runInProcess(['plan', graph, '--demands', demands, '--json', '--worst', '1']);
  expect(code).toBe(0);
  const report = JSON.parse(out);
  expect(report.before.highestUtilisation).toBe(1.5);
  expect(report.after.highestUtilisation).toBeCloseTo(0.75, 2);
  expect(report.unconnectedPairs).toBe(1);
  expect(report.doubled.fitting).toBeCloseTo(1 / 1.5, 2);
  expect(report.worstLinks).toHaveLength(1);
});

test('--members 1 leaves one next hop a route', async () => {
  const graph = write('net.graph', GRAPH);
  const { out } = await runInProcess(['plan', graph, '--members', '1', '--json']);
  const report = JSON.parse(out);
  expect(report.after.splitRoutes).toBe(0);
  expect(report.after.highestUtilisation).toBe(1.5);
});

describe('what is wrong with a file is said with its line', () => {
  const wrong: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'a negative capacity',
      GRAPH.replace('e2 0 2 1 100000', 'e2 0 2 1 -5'),
      DEMANDS,
      /bad\.graph, line 12: bw is "-5"/,
    ],
    [
      'an absurd capacity',
      GRAPH.replace('e2 0 2 1 100000', 'e2 0 2 1 1e40'),
      DEMANDS,
      /bad\.graph, line 12: bw is "1e40"/,
    ],
    [
      'a missing capacity',
      GRAPH.replace('e2 0 2 1 100000 4', 'e2 0 2 1 4'),
      DEMANDS,
      /line 12: a link is .* there are 5/,
    ],
    ['a capacity of 0', GRAPH.replace('e2 0 2 1 100000', 'e2 0 2 1 0'), DEMANDS, /line 12: bw is 0/],
    [
      'a capacity that is no number',
      GRAPH.replace('e2 0 2 1 100000', 'e2 0 2 1 fast'),
      DEMANDS,
      /line 12: bw is "fast"/,
    ],
    ['a link to itself', GRAPH.replace('e2 0 2', 'e2 0 0'), DEMANDS, /line 12: the link leads from node 0 to itself/],
    ['a link to nowhere', GRAPH.replace('e2 0 2', 'e2 0 9'), DEMANDS, /line 12: dest is "9": the nodes are 0 to 3/],
    ['too few links', GRAPH.replace('EDGES 6', 'EDGES 7'), DEMANDS, /the file ends where a link is due/],
    ['too many links', GRAPH.replace('EDGES 6', 'EDGES 5'), DEMANDS, /line 15: more lines than the file declares/],
    ['no topology at all', 'hello\n', DEMANDS, /line 1: "hello" stands where "NODES COUNT" must/],
    ['an unknown node', GRAPH, DEMANDS.replace('d1 0 3', 'd1 0 7'), /bad\.demands, line 4: dest is "7"/],
    ['a negative demand', GRAPH, DEMANDS.replace('150000', '-1'), /bad\.demands, line 3: bw is "-1"/],
    ['an empty file', GRAPH, '', /bad\.demands, line 1: "the end of the file" stands where "DEMANDS COUNT" must/],
  ];
  test.each(wrong)('%s', async (_, graph, demands, message) => {
    const file = write('bad.graph', graph);
    write('bad.demands', demands);
    const { code, err } = await runInProcess(['plan', file]);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).toContain('next:');
  });

  test('a file that is not there, demands that are not there or not clear', async () => {
    expect((await runInProcess(['plan', join(folder, 'none.graph')])).err).toMatch(/none\.graph cannot be read/);
    const alone = write('alone.graph', GRAPH);
    expect((await runInProcess(['plan', alone])).err).toMatch(/no demands lie beside/);
    write('alone.1.demands', DEMANDS);
    write('alone.2.demands', DEMANDS);
    expect((await runInProcess(['plan', alone])).err).toMatch(/2 demand files lie beside/);
    write('alone.3.demands.gz', 'not gzip');
    const { err } = await runInProcess(['plan', alone, '--demands', join(folder, 'alone.3.demands.gz')]);
    expect(err).toMatch(/is not whole gzip/);
  });
});
