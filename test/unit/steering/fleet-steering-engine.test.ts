/**
 *      leaf 11 --5-- T1 --20-- T2 --5-- leaf 12
 *         \           \        /           /
 *          +---40----- T3 (10, 10) ---30--+
 */

import { describe, expect, it } from 'vitest';
import { observedLink } from '../../fake/observed-link.ts';
import { FleetLab } from './fleet-lab.ts';

function mesh(): FleetLab {
  const lab = new FleetLab({ warmUpMs: 1000 });
  for (const transit of [1, 2, 3]) lab.join(transit);
  lab.link(1, 2, 20_000);
  lab.link(1, 3, 10_000);
  lab.link(2, 3, 10_000);
  for (const leaf of [11, 12]) lab.join(leaf, false);
  for (const [leaf, transit, rttUs] of [
    [11, 1, 5_000],
    [11, 2, 60_000],
    [11, 3, 40_000],
    [12, 1, 60_000],
    [12, 2, 5_000],
    [12, 3, 30_000],
  ] as const) {
    lab.link(leaf, transit, rttUs);
  }
  lab.run(40_000);
  return lab;
}

const ends = (lab: FleetLab) => {
  const all = [...lab.nodes.keys()];
  return new Set(all.flatMap((a) => all.flatMap((b) => (a === b ? [] : [lab.trace(a, b).end]))));
};

describe('a mesh with leaves', () => {
  it('homes each leaf at its nearest transit node, and packets go from leaf to home to home to leaf', () => {
    const lab = mesh();
    expect([lab.homeOf(11), lab.homeOf(12)]).toEqual([1, 2]);
    expect(lab.trace(11, 12)).toEqual({ end: 'delivered', path: [11, 1, 2, 12] });
    expect(lab.trace(12, 11)).toEqual({ end: 'delivered', path: [12, 2, 1, 11] });
    expect(lab.trace(3, 11).path).toEqual([3, 1, 11]);
    expect(ends(lab)).toEqual(new Set(['delivered']));
  });

  it('gives a leaf sessions with transit nodes alone, and a default with exceptions for a table', () => {
    const lab = mesh();
    expect([...(lab.engine.sessionPeers?.(11) ?? [])].sort()).toEqual([1, 2, 3]);
    expect([...(lab.engine.sessionPeers?.(1) ?? [])].sort((a, b) => a - b)).toEqual([2, 3, 11, 12]);
    const rows = lab.node(11).table.rows();
    expect(rows[0]).toMatchObject({ destination: 0, blockBits: 8, plane: 'uplink', backups: [3, 2] });
    expect(rows.length).toBeLessThanOrEqual(4);
  });

  it('moves a leaf when its link gets worse, and loses no packet at any order of applying', () => {
    const lab = mesh();
    lab.instant = false;
    lab.link(11, 1, 90_000);
    const seen = new Set<string>();
    for (let i = 0; i < 400; i++) {
      lab.nowMs += 20;
      lab.step();
      // nodes apply one at a time, in an order that changes
      const waiting = [...lab.nodes.values()].filter((node) => node.inbox.length > 0);
      const node = waiting[(i * 7) % Math.max(1, waiting.length)];
      if (node !== undefined && i % 3 === 0) lab.apply(node.index);
      for (const [a, b] of [
        [12, 11],
        [11, 12],
        [3, 11],
        [2, 11],
        [1, 11],
      ] as const) {
        seen.add(lab.trace(a, b).end);
      }
    }
    expect(lab.homeOf(11)).toBe(3);
    expect(lab.trace(12, 11).path.at(-2)).toBe(3);
    expect(seen).toEqual(new Set(['delivered']));
  });

  it('moves a leaf at once when its home is dead', () => {
    const lab = mesh();
    for (const peer of [11, 12, 2, 3]) lab.link(1, peer, null);
    lab.disconnect(1);
    lab.run(500);
    expect(lab.homeOf(11)).toBe(3);
    expect(lab.trace(11, 12).path).toEqual([11, 3, 2, 12]);
    expect(lab.trace(12, 11).path).toEqual([12, 2, 3, 11]);
  });

  it('empties a transit node that leaves before anything ends, and forgets one that is removed', () => {
    const lab = mesh();
    expect(lab.engine.isTransit(1, lab.nowMs)).toBe(true);
    lab.engine.nodeLeaving(1, lab.nowMs);
    lab.run(5_000);
    expect(lab.engine.isTransit(1, lab.nowMs)).toBe(false);
    expect(lab.homeOf(11)).toBe(3);
    // one that comes back after all takes leaves again
    lab.disconnect(1);
    lab.reconnect(1);
    lab.run(30_000);
    expect(lab.homeOf(11)).toBe(1);
    lab.engine.nodeLeaving(1, lab.nowMs);
    lab.run(5_000);
    lab.disconnect(1);
    lab.engine.removeNode(1, lab.nowMs);
    lab.nodes.delete(1);
    lab.run(5_000);
    expect(ends(lab)).toEqual(new Set(['delivered']));
    for (const node of lab.nodes.values()) {
      expect(
        node.table.rows().some((row) => row.destination === 1 || row.nextHops.some((h) => h.neighbour === 1)),
      ).toBe(false);
    }
    expect([...(lab.engine.sessionPeers?.(11) ?? [])].sort()).toEqual([2, 3]);
  });

  it('sends nobody anything after a restart with its state, and keeps homes', () => {
    const lab = mesh();
    const saved = lab.engine.exportState();
    lab.sent.length = 0;
    lab.restart(saved);
    for (const index of lab.nodes.keys()) lab.reconnect(index);
    lab.run(20_000);
    expect(lab.sent).toEqual([]);
    expect([lab.homeOf(11), lab.homeOf(12)]).toEqual([1, 2]);
    expect(ends(lab)).toEqual(new Set(['delivered']));
    // what was tried out is known: the next state says so too
    const rtts = (state: Uint8Array) =>
      JSON.parse(new TextDecoder().decode(state)).leaves.map((leaf: { rtts: unknown[] }) => leaf.rtts.length);
    expect(rtts(saved)).toEqual([3, 3]);
    lab.restart(saved);
    expect(rtts(lab.engine.exportState())).toEqual([3, 3]);
    for (const index of lab.nodes.keys()) lab.reconnect(index);
    lab.run(1_000);
    expect(rtts(lab.engine.exportState())).toEqual([3, 3]);
    // and goes on as before
    lab.link(11, 1, null);
    lab.run(3_000);
    expect(lab.trace(12, 11)).toMatchObject({ end: 'delivered' });
  });

  it('takes an old state and the records since for a state of now', () => {
    const lab = mesh();
    const old = lab.engine.exportState();
    lab.records = [];
    lab.link(11, 1, null);
    lab.link(1, 2, 90_000);
    lab.run(20_000);
    const home = lab.homeOf(11);
    expect(home).not.toBe(1);
    lab.sent.length = 0;
    const { records } = lab;
    lab.restart(old, records);
    // what it was given it hands on, also before its first step
    expect(lab.engine.importState(lab.engine.exportState())).toBe(true);
    for (const index of lab.nodes.keys()) lab.reconnect(index);
    lab.run(20_000);
    expect(lab.sent.filter(({ delta }) => delta.full)).toEqual([]);
    expect(lab.homeOf(11)).toBe(home);
    expect(lab.trace(12, 11)).toMatchObject({ end: 'delivered' });
    expect(lab.engine.importState(old, [new Uint8Array([0xff])])).toBe(false);
  });

  it('keeps a mesh that an engine without leaves has saved, and refuses what is neither', () => {
    const lab = mesh();
    const text = new TextDecoder().decode(lab.engine.exportState());
    const plain = new TextEncoder().encode(JSON.stringify(JSON.parse(text).mesh));
    lab.restart(plain);
    for (const index of lab.nodes.keys()) lab.reconnect(index);
    lab.run(40_000);
    expect(ends(lab)).toEqual(new Set(['delivered']));
    expect(lab.engine.importState(new TextEncoder().encode('{"fleet":2}'))).toBe(false);
    expect(lab.engine.importState(new Uint8Array([0xff, 0x00]))).toBe(false);
  });

  it('does not believe reports on links without a session, about unknown nodes, or of absurd values', () => {
    const lab = mesh();
    const report = (from: number, peerIndex: number, rttUs: number) =>
      lab.engine.linksReported(from, [observedLink(peerIndex, rttUs)], lab.nowMs);
    report(11, 12, 100);
    report(11, 99, 100);
    report(11, 1, Number.NaN);
    expect(lab.engine.counters).toMatchObject({ noSession: 0, unknownPeer: 2, absurdValue: 1 });
    // a leaf tries one more transit node at a time
    for (const transit of [4, 5]) lab.join(transit);
    lab.run(1);
    for (const transit of [4, 5]) report(transit, 12, 60_000);
    expect(lab.engine.counters.noSession).toBe(1);
    lab.run(3_000);
    expect([lab.homeOf(11), lab.homeOf(12)]).toEqual([1, 2]);
  });

  it('homes nobody at a transit node of capacity 0, and says that there is no way where all have it', () => {
    const lab = mesh();
    lab.engine.upsertNode({ index: 1, name: 'n1', transit: true, leafCapacity: 0 }, lab.nowMs);
    lab.run(3_000);
    expect(lab.homeOf(11)).toBe(3);
    expect(ends(lab)).toEqual(new Set(['delivered']));
    for (const index of [2, 3])
      lab.engine.upsertNode({ index, name: `n${index}`, transit: true, leafCapacity: 0 }, lab.nowMs);
    lab.run(3_000);
    expect(lab.homeOf(11)).toBe(null);
    expect(lab.engine.explainPath(12, 11)).toMatchObject({ path: [], kind: 'unreachable', runnerUp: null });
  });

  it('explains a path from leaf to leaf link by link', () => {
    const lab = mesh();
    const explained = lab.engine.explainPath(11, 12);
    expect(explained).toMatchObject({
      path: ['n11', 'n1', 'n2', 'n12'],
      kind: 'detour',
      rttUs: 30_000,
      installed: true,
    });
    expect(explained?.hops).toHaveLength(3);
    expect(explained?.cost?.totalUs).toBe(30_500);
    expect(explained?.runnerUp).toMatchObject({ path: ['n11', 'n3', 'n2', 'n12'], behindUs: 25_000 });
    expect(explained?.runnerUp?.whyNot).toContain('its home');
    expect(explained?.recentChanges[0]?.detail).toContain('home of n1');
    expect(lab.engine.paths()).toHaveLength(20);
    expect(lab.engine.links()).toHaveLength(6 + 12);
    expect(lab.engine.explainPath(11, 99)).toBeUndefined();
  });

  it('removes a leaf without a trace, and takes a node back as the other kind', () => {
    const lab = mesh();
    lab.disconnect(12);
    lab.engine.removeNode(12, lab.nowMs);
    lab.nodes.delete(12);
    lab.run(3_000);
    for (const node of lab.nodes.values()) expect(node.table.rows().some((row) => row.destination === 12)).toBe(false);
    lab.disconnect(11);
    const node = lab.node(11);
    node.transit = true;
    lab.engine.upsertNode({ index: 11, name: 'n11', transit: true, leafCapacity: 10 }, lab.nowMs);
    lab.reconnect(11);
    lab.run(40_000);
    expect(ends(lab)).toEqual(new Set(['delivered']));
    expect(lab.engine.role?.(11)).toEqual({ kind: 'transit', leaves: 0, leafCapacity: 10 });
  });
});
