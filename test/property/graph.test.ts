import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { type ArcLists, AttachedGraph, type GraphView } from '../../steering/graph/graph-view.ts';

type Edit =
  | { kind: 'arc'; from: number; to: number; weight: number }
  | { kind: 'cut'; from: number; to: number }
  | { kind: 'add'; node: number; transit: boolean }
  | { kind: 'drop'; node: number }
  | { kind: 'transit'; node: number; transit: boolean }
  | { kind: 'commit' };

const node = fc.integer({ min: 1, max: 12 });
const weight = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }));
const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('arc'), from: node, to: node, weight }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut'), from: node, to: node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('add'), node, transit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop'), node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('transit'), node, transit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('commit') }) },
) as fc.Arbitrary<Edit>;

/** The slow obvious graph: by stable index. */
class Model {
  readonly transit = new Map<number, boolean>();
  readonly arcs = new Map<string, number>();

  apply(edit: Edit, graph: CsrGraph): void {
    const slot = (index: number) => graph.slotOf(index) ?? -1;
    if (edit.kind === 'commit') graph.commit();
    if (edit.kind === 'add') {
      if (!this.transit.has(edit.node)) this.transit.set(edit.node, edit.transit);
      graph.addNode(edit.node, edit.transit);
    }
    if (edit.kind === 'drop') {
      this.transit.delete(edit.node);
      for (const key of this.arcs.keys()) if (key.split('>').includes(String(edit.node))) this.arcs.delete(key);
      graph.removeNode(edit.node);
    }
    if (edit.kind === 'transit' && this.transit.has(edit.node)) {
      this.transit.set(edit.node, edit.transit);
      graph.setTransit(slot(edit.node), edit.transit);
    }
    if (edit.kind === 'arc') {
      const refused = !this.transit.has(edit.from) || !this.transit.has(edit.to) || edit.from === edit.to;
      const set = () => graph.setArc(slot(edit.from), slot(edit.to), edit.weight);
      if (refused) {
        expect(set).toThrow(/slot/);
        return;
      }
      this.arcs.set(`${edit.from}>${edit.to}`, edit.weight);
      set();
    }
    if (edit.kind === 'cut' && this.transit.has(edit.from) && this.transit.has(edit.to)) {
      this.arcs.delete(`${edit.from}>${edit.to}`);
      graph.removeArc(slot(edit.from), slot(edit.to));
    }
  }
}

function arcsOf(view: GraphView, lists: ArcLists, name: (mine: number, theirs: number) => string): Map<string, number> {
  const arcs = new Map<string, number>();
  for (let slot = 0; slot < view.slotCount; slot++) {
    const start = lists.start[slot] ?? 0;
    for (let k = start; k < start + (lists.length[slot] ?? 0); k++) {
      const peer = lists.neighbour[k] ?? -1;
      const key = name(view.index[slot] ?? 0, view.index[peer] ?? 0);
      expect(arcs.has(key)).toBe(false);
      arcs.set(key, lists.weight[k] ?? 0);
      const border = start + (lists.transitLength[slot] ?? 0);
      expect(view.transit[peer] === 1).toBe(k < border);
      if (k > start && k !== border) expect(lists.weight[k - 1]).toBeLessThanOrEqual(lists.weight[k] ?? 0);
    }
  }
  return arcs;
}

function expectSame(view: GraphView, model: Model): void {
  const sorted = (arcs: Map<string, number>) => [...arcs].sort();
  expect(sorted(arcsOf(view, view.out, (mine, theirs) => `${mine}>${theirs}`))).toEqual(sorted(model.arcs));
  expect(sorted(arcsOf(view, view.into, (mine, theirs) => `${theirs}>${mine}`))).toEqual(sorted(model.arcs));
  expect(view.nodeCount).toBe(model.transit.size);
  expect(view.transitCount).toBe([...model.transit.values()].filter(Boolean).length);
  const weights = [...model.arcs.values()];
  if (weights.length === 0) {
    expect([view.weightFloor, view.weightCeiling]).toEqual([1, 0]);
    return;
  }
  expect(view.weightFloor).toBe(2 ** Math.floor(Math.log2(Math.min(...weights))));
  expect(view.weightCeiling).toBe(2 ** (Math.floor(Math.log2(Math.max(...weights))) + 1) - 1);
}

/** Everything by slot, as the journal sees it. */
function picture(graph: CsrGraph) {
  const arcs = new Map<string, number>();
  for (const from of graph.slots()) {
    const start = graph.out.start[from] ?? 0;
    for (let k = start; k < start + (graph.out.length[from] ?? 0); k++) {
      arcs.set(`${from}>${graph.out.neighbour[k]}`, graph.out.weight[k] ?? 0);
    }
  }
  const slots = Array.from({ length: graph.slotCount }, (_, slot) => slot);
  return {
    version: graph.version,
    arcs,
    index: slots.map((slot) => graph.indexOf(slot)),
    transit: slots.map((slot) => (graph.isTransit(slot) ? 1 : 0)),
  };
}

describe('CsrGraph', { timeout: 60_000 }, () => {
  it('holds what a plain map holds, in both directions, after any edits, also for a thread that attached', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 150 }), (edits) => {
        const graph = new CsrGraph();
        const model = new Model();
        for (let v = 1; v <= 6; v++) model.apply({ kind: 'add', node: v, transit: v % 2 === 0 }, graph);
        graph.commit();
        let attached = new AttachedGraph(graph.describe());
        for (const each of edits) model.apply(each, graph);
        expectSame(graph, model);
        graph.commit();
        if (attached.isStale) attached = new AttachedGraph(graph.describe());
        expectSame(attached, model);
        expect(graph.arcCount).toBe(model.arcs.size);
        expect(attached.version).toBe(graph.version);
      }),
    );
  });

  it('holds the same when it was loaded at once, and takes edits after that', () => {
    const row = fc.record({ from: fc.nat(11), to: fc.nat(11), weight });
    const nodes = fc.array(fc.boolean(), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(nodes, fc.array(row, { maxLength: 400 }), fc.array(edit, { maxLength: 60 }), (bits, rows, edits) => {
        const model = new Model();
        bits.forEach((bit, v) => {
          model.transit.set(v + 1, bit);
        });
        let selfLoops = 0;
        for (const { from, to, weight: us } of rows) {
          const key = `${from + 1}>${to + 1}`;
          if (from === to) selfLoops++;
          else model.arcs.set(key, Math.min(us, model.arcs.get(key) ?? us));
        }
        const loaded = CsrGraph.load({
          index: Int32Array.from(bits, (_, v) => v + 1),
          transit: Uint8Array.from(bits, (bit) => (bit ? 1 : 0)),
          from: Int32Array.from(rows, (each) => each.from),
          to: Int32Array.from(rows, (each) => each.to),
          weight: Int32Array.from(rows, (each) => each.weight),
        });
        expectSame(loaded.graph, model);
        expect(loaded.selfLoops).toBe(selfLoops);
        expect(loaded.duplicates).toBe(rows.length - selfLoops - model.arcs.size);
        expect(loaded.graph.version).toBe(1);
        expect(loaded.graph.editsSince(0)).toBe(null);
        for (const each of edits) model.apply(each, loaded.graph);
        expectSame(loaded.graph, model);
      }),
    );
  });

  it('sorts the links of a hub with hundreds of leaves, loaded at once', () => {
    fc.assert(
      fc.property(fc.array(weight, { minLength: 20, maxLength: 600 }), (weights) => {
        const leaves = weights.map((_, i) => i + 1);
        const { graph } = CsrGraph.load({
          index: Int32Array.from([0, ...leaves], (v) => v + 1),
          transit: Uint8Array.from([0, ...leaves], (v) => v % 2),
          from: Int32Array.from(leaves, () => 0),
          to: Int32Array.from(leaves),
          weight: Int32Array.from(weights),
        });
        const model = new Model();
        for (const v of [0, ...leaves]) model.transit.set(v + 1, v % 2 === 1);
        weights.forEach((us, i) => {
          model.arcs.set(`1>${i + 2}`, us);
        });
        expectSame(graph, model);
      }),
    );
  });

  it('tells by its journal the difference between any two of its versions', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 120 }), fc.nat(), (edits, pick) => {
        const graph = new CsrGraph();
        const model = new Model();
        for (let v = 1; v <= 6; v++) model.apply({ kind: 'add', node: v, transit: v % 2 === 0 }, graph);
        const pictures = [];
        for (const each of [...edits, { kind: 'commit' } as const]) {
          model.apply(each, graph);
          if (each.kind === 'commit') pictures.push(picture(graph));
        }
        const now = picture(graph);
        const then = pictures[pick % pictures.length] ?? now;
        const changes = graph.editsSince(then.version);
        expect(changes?.fromVersion).toBe(then.version);
        expect(changes?.toVersion).toBe(now.version);
        const arcs = [...new Set([...then.arcs.keys(), ...now.arcs.keys()])]
          .map((key) => [key, then.arcs.get(key) ?? 0, now.arcs.get(key) ?? 0] as const)
          .filter(([, before, after]) => before !== after);
        const said = changes?.arcs.map((arc) => [`${arc.from}>${arc.to}`, arc.before, arc.after]);
        expect(said?.sort()).toEqual([...arcs].sort());
        const slots = (before: number[], after: number[]) =>
          after
            .map((value, slot) => ({ slot, before: before[slot] ?? 0, after: value }))
            .filter((change) => change.before !== change.after);
        const bySlot = (a: { slot: number }, b: { slot: number }) => a.slot - b.slot;
        expect([...(changes?.transit ?? [])].sort(bySlot)).toEqual(slots(then.transit, now.transit));
        expect([...(changes?.renumbered ?? [])].sort(bySlot)).toEqual(slots(then.index, now.index));
      }),
    );
  });
});
