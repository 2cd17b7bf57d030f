/**
 * Backups held against brute force: the failed link or node is taken away, and packets are followed over the alternate.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { BackupCoverage } from '../../steering/spf/backup/coverage.ts';
import {
  AlternateRow,
  DOWNSTREAM,
  LINK,
  NODE,
  selectAlternates,
} from '../../steering/spf/backup/loop-free-alternates.ts';
import { NextHopTree } from '../../steering/spf/backup/next-hop-tree.ts';
import { type Failure, PostConvergence } from '../../steering/spf/backup/post-convergence.ts';
import { RemoteAlternates } from '../../steering/spf/backup/remote-alternates.ts';
import { PathTable } from '../../steering/spf/path-table.ts';
import { PlainRows } from '../../steering/spf/plain-rows.ts';
import { arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';
import { type Net, pathToRoot, type SlowTree, slowTree, without } from '../oracle/slow-tree.ts';

/** As much as the least weight of a net with ties: so equal paths differ in their hops too. */
const HOP = 100;

/** Nodes of `net` are slots of `graph`: it is put together in order. */
interface Case {
  readonly net: Net;
  readonly graph: CsrGraph;
  /** Towards each destination, by the oracle. */
  readonly slow: SlowTree[];
  readonly table: PathTable;
  readonly trees: NextHopTree[];
  readonly alternates: AlternateRow[];
}

function caseOf(net: Net): Case {
  const { graph } = graphOf(net);
  const table = PathTable.allocate(graph.slotCount);
  const rows = new PlainRows(graph.slotCount);
  const nodes = [...net.index.keys()];
  for (const root of nodes) rows.fill({ graph, arcs: graph.into, transitHopUs: HOP }, root, table);
  const trees = nodes.map((root) => {
    const tree = new NextHopTree();
    tree.loadRow(root, graph.slotCount, table);
    return tree;
  });
  const alternates = trees.map((tree) => {
    const row = new AlternateRow();
    selectAlternates(graph, tree, HOP, row);
    return row;
  });
  return { net, graph, slow: nodes.map((root) => slowTree(net, root, 'to', HOP)), table, trees, alternates };
}

const weightOf = (net: Net, a: number, b: number) =>
  net.arcs.find(([from, to]) => from === a && to === b)?.[2] ?? Number.POSITIVE_INFINITY;

/** Every (node, destination) with a path, and its next hop. */
function* pairs({ net, slow }: Case): Generator<{ node: number; root: number; next: number }> {
  for (const root of net.index.keys()) {
    for (const node of net.index.keys()) {
      const next = slow[root]?.predecessor[node] ?? -1;
      if (next >= 0) yield { node, root, next };
    }
  }
}

const pathOf = ({ slow }: Case, root: number, node: number) => pathToRoot(slow[root] as SlowTree, root, node);

/** Neighbours that may carry packets of `node` for `root` beside its next hop, and what each protects, by definition. */
function candidates(c: Case, node: number, root: number, next: number) {
  const { net, slow } = c;
  return net.arcs
    .filter(([from, to]) => from === node && to !== next && (to === root || net.transit[to] === true))
    .map(([, to, weight]) => {
      const path = pathOf(c, root, to);
      return {
        to,
        loopFree: path.length > 0 && !path.includes(node),
        protectsNode: next !== root && path.length > 0 && !path.includes(node) && !path.includes(next),
        downstream: (slow[root]?.distance[to] ?? 0) < (slow[root]?.distance[node] ?? 0),
        cost: weight + (to === root ? 0 : HOP) + (slow[root]?.distance[to] ?? 0),
        hops: path.length,
      };
    });
}

const nets = fc.oneof(arbitraryNet({ maxSize: 10, symmetric: true }), arbitraryNet({ maxSize: 10 }));

describe('loop-free alternates', { timeout: 60_000 }, () => {
  it('finds one wherever one exists by definition, the best by the order of choice', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        for (const { node, root, next } of pairs(c)) {
          const found = candidates(c, node, root, next).filter((n) => n.loopFree);
          const rank = (n: (typeof found)[number]) => (n.protectsNode ? 2 : n.downstream ? 1 : 0);
          found.sort(
            (a, b) =>
              rank(b) - rank(a) ||
              a.cost - b.cost ||
              a.hops - b.hops ||
              (net.index[a.to] ?? 0) - (net.index[b.to] ?? 0),
          );
          const [best] = found;
          const row = c.alternates[root];
          expect(row?.alternate[node], `${node} to ${root}`).toBe(best?.to ?? -1);
          const bits =
            best === undefined ? 0 : LINK | (best.protectsNode ? NODE : 0) | (best.downstream ? DOWNSTREAM : 0);
          expect(row?.protection[node], `${node} to ${root}`).toBe(bits);
        }
        // what has no path has nothing to protect
        for (const root of net.index.keys()) expect(c.alternates[root]?.alternate[root]).toBe(-1);
      }),
    );
  });

  it('finds all that the inequalities of RFC 5286 allow', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        const d = (from: number, to: number) => c.slow[to]?.distance[from] ?? Number.POSITIVE_INFINITY;
        // a way through a node exists only where it forwards for others, and costs the transit price
        const through = (from: number, via: number, to: number) =>
          via !== to && net.transit[via] !== true
            ? Number.POSITIVE_INFINITY
            : d(from, via) + (via === to ? 0 : HOP) + d(via, to);
        for (const { node, root, next } of pairs(c)) {
          const others = net.arcs.filter(
            ([from, to]) => from === node && to !== next && (to === root || net.transit[to] === true),
          );
          const inequality1 = others.filter(([, n]) => d(n, root) < through(n, node, root));
          const inequality3 = inequality1.filter(([, n]) => next !== root && d(n, root) < through(n, next, root));
          const bits = c.alternates[root]?.protection[node] ?? 0;
          if (inequality1.length > 0) expect(bits & LINK, `${node} to ${root}`).toBe(LINK);
          if (inequality3.length > 0) expect(bits & NODE, `${node} to ${root}`).toBe(NODE);
        }
      }),
    );
  });

  it('brings a packet to its destination without what failed', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        for (const { node, root, next } of pairs(c)) {
          const alternate = c.alternates[root]?.alternate[node] ?? -1;
          if (alternate < 0) continue;
          const nodeProtecting = ((c.alternates[root]?.protection[node] ?? 0) & NODE) !== 0;
          const left = without(net, nodeProtecting ? { node: next } : { link: [node, next] });
          let at = node;
          for (let steps = 0; at !== root; steps++) {
            expect(steps).toBeLessThan(net.index.length);
            const to = at === node ? alternate : (c.table.predecessorOf(root, at) as number);
            expect(weightOf(left, at, to), `${at} to ${to}`).toBeLessThan(Number.POSITIVE_INFINITY);
            expect(to === root || net.transit[to] === true).toBe(true);
            at = to;
          }
        }
      }),
    );
  });

  it('makes no loop when whatever failed is repaired by downstream alternates everywhere at once', () => {
    fc.assert(
      fc.property(nets, fc.array(fc.nat(1_000), { maxLength: 4 }), fc.nat(9), (net, broken, dead) => {
        const c = caseOf(net);
        const gone = (a: number, b: number) =>
          a === dead ||
          b === dead ||
          broken.some((i) => {
            const arc = net.arcs[i % Math.max(1, net.arcs.length)];
            return arc !== undefined && ((arc[0] === a && arc[1] === b) || (arc[0] === b && arc[1] === a));
          });
        for (const { node, root } of pairs(c)) {
          let at = node;
          for (let steps = 0; at !== root && at >= 0; steps++) {
            expect(steps).toBeLessThan(net.index.length);
            const next = c.table.predecessorOf(root, at);
            const alternate = c.alternates[root]?.alternate[at] ?? -1;
            const downstream = ((c.alternates[root]?.protection[at] ?? 0) & DOWNSTREAM) !== 0;
            if (!gone(at, next)) at = next;
            else at = downstream && alternate >= 0 && !gone(at, alternate) ? alternate : -1;
          }
        }
      }),
    );
  });
});

describe('remote alternates', { timeout: 60_000 }, () => {
  const finder = (c: Case) =>
    new RemoteAlternates(
      { graph: c.graph, trees: c.table, alternates: (root) => c.alternates[root] as AlternateRow },
      HOP,
    );

  it('lead to the destination without what failed', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        const remote = finder(c);
        for (const { node, root, next } of pairs(c)) {
          remote.from(node);
          for (const protect of ['link', 'node'] as const) {
            const found = remote.find(root, protect);
            if (found === null) continue;
            const { release, via } = found;
            const tunnel = [node, ...pathOf(c, release, via)];
            const way = [...tunnel, ...pathOf(c, root, release).slice(1)];
            const left = without(net, protect === 'node' ? { node: next } : { link: [node, next] });
            let cost = 0;
            for (const [i, to] of way.entries()) {
              if (i === 0) continue;
              const weight = weightOf(left, way[i - 1] ?? -1, to);
              expect(weight, `${way} for ${next}`).toBeLessThan(Number.POSITIVE_INFINITY);
              cost += weight + (i === way.length - 1 ? 0 : HOP);
            }
            expect(found.costUs).toBe(cost);
            expect(net.transit[release]).toBe(true);
          }
        }
      }),
    );
  });

  it('exist for a link wherever the two spaces of RFC 7490 meet', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        const remote = finder(c);
        for (const { node, root, next } of pairs(c)) {
          remote.from(node);
          const neighbours = net.arcs.filter(([from, to]) => from === node && to !== next).map(([, to]) => to);
          const exists = [...net.index.keys()].some(
            (release) =>
              net.transit[release] === true &&
              release !== node &&
              release !== root &&
              pathOf(c, root, release).length > 0 &&
              !pathOf(c, root, release).includes(node) &&
              neighbours.some((via) => {
                const path = pathOf(c, release, via);
                return path.length > 0 && !path.includes(node) && (via === release || net.transit[via] === true);
              }),
          );
          expect(remote.find(root, 'link') !== null, `${node} to ${root}`).toBe(exists);
        }
      }),
    );
  });
});

describe('paths after a failure', { timeout: 60_000 }, () => {
  it('are those of a fresh computation without what failed', () => {
    fc.assert(
      fc.property(nets, (net) => {
        const c = caseOf(net);
        const after = new PostConvergence();
        const failures: { failure: Failure; left: Net }[] = [
          ...[...net.index.keys()].map((node) => ({
            failure: { kind: 'node', node } as const,
            left: without(net, { node }),
          })),
          ...net.arcs.map(([a, b]) => ({
            failure: { kind: 'link', a, b } as const,
            left: without(net, { link: [a, b] }),
          })),
        ];
        for (const { failure, left } of failures) {
          for (const [root, tree] of c.trees.entries()) {
            if (failure.kind === 'node' && failure.node === root) continue;
            after.compute(c.graph, tree, HOP, failure);
            const slow = slowTree(left, root, 'to', HOP);
            const nodes = [...net.index.keys()];
            expect(nodes.map((v) => after.distance(v))).toEqual(slow.distance);
            expect(nodes.map((v) => after.nextHop(v))).toEqual(slow.predecessor);
            for (const v of nodes) expect(after.pathFrom(v)).toEqual(pathToRoot(slow, root, v));
            for (const v of nodes) {
              if (
                slow.predecessor[v] !== c.slow[root]?.predecessor[v] &&
                (failure.kind === 'link' || v !== failure.node)
              )
                expect(after.affected).toContain(v);
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('the tree of next hops', () => {
  it('answers as a walk does, also where next hops go round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1, max: 11 }), { minLength: 1, maxLength: 12 }), (drawn) => {
        const hops = drawn.map((next, v) => (v === 0 || next >= drawn.length || next === v ? -1 : next));
        const table = PathTable.allocate(hops.length);
        for (const [v, next] of hops.entries()) if (next >= 0) table.predecessor[v] = next;
        const tree = new NextHopTree();
        tree.loadRow(0, hops.length, table);
        const walk = (from: number): number[] | null => {
          const path = [from];
          for (let v = from; v !== 0; path.push(v)) {
            v = hops[v] ?? -1;
            if (v < 0 || path.length > hops.length) return null;
          }
          return path;
        };
        for (const v of hops.keys()) {
          const path = walk(v);
          for (const via of hops.keys()) expect(tree.passes(v, via)).toBe(path?.includes(via) ?? false);
          if (path !== null) expect(tree.hops[v]).toBe(path.length - 1);
        }
        expect(tree.reached).toBe([...hops.keys()].filter((v) => walk(v) !== null).length);
      }),
    );
  });
});

describe('coverage', () => {
  it('of a ring: a link is protected where the other way round does not lead back', () => {
    // a ring of five, all links alike: from 0 to 1 the neighbour 4 goes 4-3-2-1 or 4-0-1: back through 0
    const index = [1, 2, 3, 4, 5];
    const arcs = index.flatMap((_, v): [number, number, number][] => [
      [v, (v + 1) % 5, 1_000],
      [(v + 1) % 5, v, 1_000],
    ]);
    const c = caseOf({ index, transit: index.map(() => true), arcs });
    const coverage = new BackupCoverage();
    for (const [root, tree] of c.trees.entries()) coverage.add(tree, c.alternates[root] as AlternateRow);
    const remote = new RemoteAlternates(
      { graph: c.graph, trees: c.table, alternates: (root) => c.alternates[root] as AlternateRow },
      HOP,
    );
    for (const { node, root } of pairs(c)) {
      remote.from(node);
      if (c.alternates[root]?.alternate[node] === -1 && remote.find(root, 'link') !== null) coverage.addRemote('link');
    }
    expect(coverage.shares()).toEqual({
      pairs: 20,
      detours: 10,
      // the ten detours have the other neighbour, which is as near; the ten direct ones need a tunnel
      link: 0.5,
      downstream: 0,
      node: 1,
      linkOrRemote: 1,
      nodeOrRemote: 1,
    });
  });
});
