/**
 * Backups in the rows that nodes hold, against brute force: a link is taken away, every agent beside it repairs by its own
 * rows, and packets of all pairs are followed over every member of every group.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteRow } from '../../protocol/route-table.ts';
import type { LoadGroups } from '../../steering/steering-engine-port.ts';
import { SteeringLab } from '../unit/steering/steering-lab.ts';

const SIZE = 7;
const node = fc.integer({ min: 1, max: SIZE });
const rtt = fc.integer({ min: 1, max: 40 }).map((ms) => ms * 1_000);

const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('link' as const), a: node, b: node, rttUs: rtt }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('cut' as const), a: node, b: node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('transit' as const), a: node, transit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('spread' as const), to: node, weight: fc.nat({ max: 255 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function perform(lab: SteeringLab, what: Event): void {
  if (what.kind === 'link' && what.a !== what.b) lab.link(what.a, what.b, what.rttUs);
  if (what.kind === 'cut' && what.a !== what.b) lab.link(what.a, what.b, null);
  if (what.kind === 'wait') lab.run(what.ms);
  if (what.kind === 'spread') lab.engine.loadSpread(groupsTo(what.to, what.weight), lab.nowMs);
  if (what.kind === 'transit') {
    lab.node(what.a).transit = what.transit;
    lab.engine.upsertNode({ index: what.a, name: `n${what.a}`, transit: what.transit }, lab.nowMs);
  }
  if (what.kind === 'restart') {
    lab.restart(lab.engine.exportState());
    for (let index = 1; index <= SIZE; index++) lab.reconnect(index);
  }
  lab.settle();
}

/** Node 1 sends by node 2 and directly, all others as they did. */
function groupsTo(to: number, weight: number): LoadGroups {
  const [from, by] = [1, 2].map((index) => (index >= to ? index + 1 : index));
  const hops = [by ?? 0, to].sort((a, b) => a - b).map((neighbour) => ({ neighbour, weight: 1 + weight }));
  return new Map([[to, new Map([[from ?? 0, hops]])]]);
}

function rested(events: readonly Event[]): SteeringLab {
  const lab = new SteeringLab();
  for (let index = 1; index <= SIZE; index++) lab.join(index, index !== SIZE);
  // a ring with two chords: some pairs have alternates, some have none
  for (let a = 1; a <= SIZE; a++) lab.link(a, (a % SIZE) + 1, ((a * 7) % 20) * 1_000 + 2_000);
  lab.link(1, 4, 9_000);
  lab.link(2, 6, 12_000);
  lab.run(30_000);
  for (const each of events) perform(lab, each);
  lab.run(120_000);
  return lab;
}

type Link = readonly [number, number];
type Table = RouteRow['table'];

const planeOf = (row: RouteRow): Table =>
  row.table !== 'source' ? row.table : row.plane === 'b' ? 'transitB' : 'transitA';

class Packets {
  readonly #lab: SteeringLab;
  /** Null: all links are as the lab says. */
  readonly #failed: Link | null;

  constructor(lab: SteeringLab, failed: Link | null) {
    this.#lab = lab;
    this.#failed = failed;
  }

  row(at: number, table: Table, to: number): RouteRow | undefined {
    return this.#lab.node(at).table.get({ table, destination: to, blockBits: 0 });
  }

  isUp(a: number, b: number): boolean {
    const [x, y] = this.#failed ?? [0, 0];
    return this.#lab.isUp(a, b) && !((a === x && b === y) || (a === y && b === x));
  }

  /** Next hops as the agent uses them: those that are up; where none is, the first backup that is. */
  hops(row: RouteRow, at: number): number[] {
    const live = row.nextHops.map(({ neighbour }) => neighbour).filter((neighbour) => this.isUp(at, neighbour));
    if (live.length > 0) return live;
    const backup = row.backups.find((neighbour) => this.isUp(at, neighbour));
    return backup === undefined ? [] : [backup];
  }

  /** Every node that packets may meet. `loop`: some packet meets a node twice on its way. */
  follow(from: number, table: Table, to: number): { met: Set<number>; loop: boolean; lost: boolean } {
    const met = new Set<number>();
    let loop = false;
    let lost = false;
    const go = (at: number, by: Table, way: readonly number[]): void => {
      met.add(at);
      if (at === to) return;
      if (way.includes(at)) {
        loop = true;
        return;
      }
      const row = this.row(at, by, to);
      const hops = row === undefined ? [] : this.hops(row, at);
      if (row === undefined || hops.length === 0) lost = true;
      else for (const hop of hops) go(hop, planeOf(row), [...way, at]);
    };
    go(from, table, []);
    return { met, loop, lost };
  }
}

const nodes = Array.from({ length: SIZE }, (_, i) => i + 1);
const pairs = nodes.flatMap((a) => nodes.filter((b) => b !== a).map((b): Link => [a, b]));

function* rowsOf(lab: SteeringLab, at: number): Generator<RouteRow> {
  for (const row of lab.node(at).table.rows()) if (row.destination !== at) yield row;
}

describe('backups in rows', { timeout: 120_000 }, () => {
  it('make no loop whichever link fails, and lose nothing where a row has one', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 25 }), (events) => {
        const lab = rested(events);
        for (const failed of pairs.filter(([a, b]) => a < b && lab.isUp(a, b))) {
          const packets = new Packets(lab, failed);
          for (const [from, to] of pairs) {
            // what has no path is sent directly as a last resort
            if (new Packets(lab, null).follow(from, 'source', to).lost) continue;
            const { loop, lost, met } = packets.follow(from, 'source', to);
            expect(loop, `${from} to ${to} without ${failed}`).toBe(false);
            if (!lost) continue;
            const bare = [...met].some((at) =>
              [...rowsOf(lab, at)].some((row) => row.destination === to && packets.hops(row, at).length === 0),
            );
            expect(bare, `${from} to ${to} without ${failed}: lost for want of a backup`).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are there wherever a neighbour would do, and protect from the node wherever one would', () => {
    let found = 0;
    fc.assert(
      fc.property(fc.array(event, { maxLength: 25 }), (events) => {
        const lab = rested(events);
        const packets = new Packets(lab, null);
        for (const at of nodes) {
          for (const row of rowsOf(lab, at)) {
            const to = row.destination;
            const primaries = row.nextHops.map(({ neighbour }) => neighbour);
            if (packets.follow(at, row.table, to).lost) continue;
            const does = (other: number): 'none' | 'link' | 'node' => {
              if (other === at || primaries.includes(other) || !packets.isUp(at, other)) return 'none';
              if (other === to) return primaries.includes(to) ? 'link' : 'node';
              if (!lab.node(other).transit) return 'none';
              const { met, lost } = packets.follow(other, planeOf(row), to);
              if (lost || met.has(at)) return 'none';
              return primaries.includes(to) || primaries.some((primary) => met.has(primary)) ? 'link' : 'node';
            };
            const best = nodes.map(does);
            const [backup] = row.backups;
            const kind = backup === undefined ? 'none' : does(backup);
            expect(kind, `${at} to ${to} in ${row.table} by ${primaries}: ${best}`).toBe(
              best.includes('node') ? 'node' : best.includes('link') ? 'link' : 'none',
            );
            if (kind !== 'none') found++;
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(found).toBeGreaterThan(1_000);
  });
});
