import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../../steering/graph/csr-graph.ts';
import { DimacsReader } from '../../../steering/graph/dimacs-reader.ts';
import { dimacsText } from '../../../steering/graph/dimacs-writer.ts';

function read(text: string, pieceLength = text.length) {
  const reader = new DimacsReader();
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += pieceLength) reader.push(bytes.subarray(at, at + pieceLength));
  return reader.end();
}

const HEAD = 'c a graph\np sp 3 2\n';

describe('DIMACS reader', () => {
  it('reads nodes and arcs, whatever the pieces, blanks and line ends', () => {
    const text = 'c a graph\r\n\np sp 3 2\r\na  1\t2 500 \r\nc between\na 3 1 2147483647';
    for (const pieceLength of [1, 2, 3, 7, 100]) {
      const table = read(text, pieceLength);
      expect([...table.index]).toEqual([1, 2, 3]);
      expect([...table.transit]).toEqual([1, 1, 1]);
      expect([...table.from]).toEqual([0, 2]);
      expect([...table.to]).toEqual([1, 0]);
      expect([...table.weight]).toEqual([500, 2 ** 31 - 1]);
    }
  });

  it('takes transit nodes and stable indices from our comments, and ignores those of others', () => {
    const table = read(
      'p sp 4 0\nc thalweg transit 2 3\nc thalweg index 4 77\nc thalweg is a river word\nc transit 1 1\n',
    );
    expect([...table.transit]).toEqual([0, 1, 1, 0]);
    expect([...table.index]).toEqual([1, 2, 3, 77]);
  });

  it('leaves self loops and parallel arcs to the graph, which keeps the lightest and counts the rest', () => {
    const text = 'p sp 3 7\na 1 2 9\na 2 2 1\na 1 2 4\na 2 3 5\na 1 2 6\na 2 1 3\na 3 3 1\n';
    const { graph, selfLoops, duplicates } = CsrGraph.load(read(text));
    expect([selfLoops, duplicates, graph.arcCount]).toEqual([2, 2, 3]);
    expect([...dimacsText(graph)].join('')).toBe('p sp 3 3\na 1 2 4\na 2 1 3\na 2 3 5\n');
  });

  const bad: [string, string, RegExp][] = [
    ['a negative weight', `${HEAD}a 1 2 -5\na 2 3 5\n`, /line 3: weight "-5" is not a whole number from 1/],
    ['a zero weight', `${HEAD}a 1 2 5\na 2 3 0\n`, /line 4: weight "0"/],
    ['a fractional weight', `${HEAD}a 1 2 1.5\n`, /line 3: weight "1.5"/],
    ['NaN', `${HEAD}a 1 2 NaN\n`, /line 3: weight "NaN"/],
    ['a weight that 32 bits cannot hold', `${HEAD}a 1 2 2147483648\n`, /line 3: weight "2147483648"/],
    ['a weight of very many digits', `${HEAD}a 1 2 00000000000000001\n`, /line 3: weight/],
    ['a link to an unknown node', `${HEAD}a 1 4 5\n`, /line 3: node "4" is not a whole number from 1 to 3/],
    ['a link from node 0', `${HEAD}a 0 1 5\n`, /line 3: node "0"/],
    ['an arc of two values', `${HEAD}a 1 2\n`, /line 3: an arc is "a FROM TO WEIGHT"/],
    ['an arc of four values', `${HEAD}a 1 2 3 4\n`, /line 3: an arc is "a FROM TO WEIGHT"/],
    ['an arc before the problem line', 'a 1 2 3\n', /line 1: an arc stands before/],
    ['too many arcs', `${HEAD}a 1 2 1\na 2 3 1\na 3 1 1\n`, /line 5: more arcs than the 2/],
    ['too few arcs: a truncated file', `${HEAD}a 1 2 1\n`, /ends after 1 arcs; its "p" line says 2/],
    ['a file cut within a line', `${HEAD}a 1 2 1\na 2`, /line 4: an arc is/],
    ['an empty file', '', /ends without a "p sp/],
    ['a second problem line', `${HEAD}p sp 3 2\n`, /line 3: there is a second/],
    ['another problem', 'p max 3 2\n', /line 1: the problem line/],
    ['no nodes', 'p sp 0 0\n', /line 1: number of nodes "0"/],
    ['more nodes than memory', 'p sp 4000000000 1\n', /line 1: number of nodes/],
    ['an unknown line', `${HEAD}e 1 2\n`, /line 3: a line begins with "e"/],
    ['bytes that are no text', `${HEAD}\u0000\u0001\n`, /line 3: a line begins with/],
    ['a transit range backwards', `${HEAD}c thalweg transit 3 2\n`, /line 3: nodes 3 to 2 are no range/],
    ['a transit range into nowhere', `${HEAD}c thalweg transit 1 9\n`, /line 3: node "9"/],
  ];
  for (const [what, text, message] of bad) {
    it(`refuses ${what}`, () => {
      expect(() => read(text)).toThrow(message);
      expect(() => read(text, 1)).toThrow(message);
    });
  }

  it('reads one index for two nodes, which the graph refuses', () => {
    const table = read('p sp 2 0\nc thalweg index 1 2\n');
    expect(() => CsrGraph.load(table)).toThrow(/index 2 belongs to two nodes/);
  });

  it('refuses a line without end before it fills the memory', () => {
    const reader = new DimacsReader();
    const blob = new Uint8Array(3000).fill(97);
    reader.push(blob);
    expect(() => reader.push(blob)).toThrow(/line 1: the line is longer than 4096/);
  });

  it('hands out nothing after a mistake', () => {
    const reader = new DimacsReader();
    expect(() => reader.push(new TextEncoder().encode(`${HEAD}a 1 2 x\n`))).toThrow(/line 3/);
    expect(() => reader.push(new TextEncoder().encode('a 1 2 3\n'))).toThrow(/line 3/);
    expect(() => reader.end()).toThrow(/line 3/);
  });
});

describe('DIMACS writer', () => {
  it('writes what the reader reads back, also indices and transit bits', () => {
    const graph = new CsrGraph();
    const slots = [40, 7, 3, 9].map((index) => graph.addNode(index, index !== 9));
    const [a = 0, b = 0, c = 0, d = 0] = slots;
    graph.setArc(a, b, 11);
    graph.setArc(b, a, 12);
    graph.setArc(c, d, 13);
    graph.setArc(d, c, 14);
    graph.commit();
    const text = [...dimacsText(graph)].join('');
    expect(text).toBe(
      'p sp 4 4\nc thalweg index 1 3\nc thalweg index 2 7\nc thalweg index 3 9\nc thalweg index 4 40\n' +
        'c thalweg transit 1 2\nc thalweg transit 4 4\na 1 3 13\na 2 4 12\na 3 1 14\na 4 2 11\n',
    );
    const again = CsrGraph.fromTable(read(text));
    expect([...dimacsText(again)].join('')).toBe(text);
  });

  it('writes a graph in which nobody forwards so that it is read as such', () => {
    const graph = new CsrGraph();
    graph.addNode(1, false);
    graph.addNode(2, false);
    const text = [...dimacsText(graph)].join('');
    expect([...read(text).transit]).toEqual([0, 0]);
  });
});
