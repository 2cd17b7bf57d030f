/**
 * Random weather over a small mesh: links change, die and heal, sessions break and come back, agents apply late, refuse
 * or lose deltas, the core restarts. After every single event packets are followed between all pairs.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumOf } from '../../protocol/route-table.ts';
import type { LoadGroups } from '../../steering/steering-engine-port.ts';
import { SteeringLab, traceEach } from '../unit/steering/steering-lab.ts';

const SIZE = 6;
const node = fc.integer({ min: 1, max: SIZE });
const rtt = fc.integer({ min: 1, max: 60 }).map((ms) => ms * 1_000);

const calm = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('link' as const), a: node, b: node, rttUs: rtt }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('apply' as const), a: node }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 800, max: 12_000 }) }),
  },
);
/** Load asks for groups towards some destinations: each node sends by some of those that stand before it in an order. */
const spread = fc.record({
  kind: fc.constant('spread' as const),
  destinations: fc.uniqueArray(
    fc.record({
      to: node,
      order: fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: SIZE }),
      weights: fc.array(fc.integer({ min: 0, max: 256 }), { minLength: SIZE * SIZE, maxLength: SIZE * SIZE }),
    }),
    { selector: ({ to }) => to, maxLength: 3 },
  ),
});
type SpreadEvent = typeof spread extends fc.Arbitrary<infer T> ? T : never;

function loadGroups({ destinations }: SpreadEvent): LoadGroups {
  return new Map(
    destinations.map(({ to, order, weights }) => {
      const line = [to, ...order.filter((index) => index !== to && index !== SIZE), ...(to === SIZE ? [] : [SIZE])];
      const groups = line.slice(1).map((from, i): [number, { neighbour: number; weight: number }[]] => {
        const before = line.slice(0, i + 1);
        const hops = before
          .map((neighbour, k) => ({ neighbour, weight: weights[i * SIZE + k] ?? 0 }))
          .filter(({ weight }) => weight > 0);
        const [first] = before;
        return [from, hops.length > 0 ? hops : [{ neighbour: first ?? to, weight: 7 }]];
      });
      return [to, new Map(groups)];
    }),
  );
}

const storm = fc.oneof(
  { weight: 10, arbitrary: calm },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), a: node, b: node }) },
  { weight: 1, arbitrary: spread },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), a: node, goodbye: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('return' as const), a: node, amnesia: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), a: node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('transit' as const), a: node, transit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), saved: fc.boolean() }) },
);
type Event = typeof storm extends fc.Arbitrary<infer T> ? T : never;

function mesh(): SteeringLab {
  const lab = new SteeringLab();
  for (let index = 1; index <= SIZE; index++) lab.join(index, index !== SIZE);
  for (let a = 1; a <= SIZE; a++)
    for (let b = a + 1; b <= SIZE; b++) lab.link(a, b, ((a * 7 + b * 13) % 40) * 1_000 + 2_000);
  lab.run(30_000);
  lab.instant = false;
  return lab;
}

function perform(lab: SteeringLab, event: Event): void {
  switch (event.kind) {
    case 'link':
      if (event.a !== event.b) lab.link(event.a, event.b, event.rttUs);
      break;
    case 'cut':
      if (event.a !== event.b) lab.link(event.a, event.b, null);
      break;
    case 'spread':
      lab.engine.loadSpread(loadGroups(event), lab.nowMs);
      break;
    case 'apply':
      lab.apply(event.a);
      break;
    case 'wait':
      lab.nowMs += event.ms;
      break;
    case 'leave':
      if (lab.node(event.a).online) lab.disconnect(event.a, event.goodbye);
      break;
    case 'return':
      if (lab.node(event.a).online) break;
      if (event.amnesia) lab.node(event.a).table = new (lab.node(event.a).table.constructor as new () => never)();
      lab.reconnect(event.a);
      break;
    case 'refuse': {
      const delta = lab.node(event.a).inbox.shift();
      if (delta !== undefined) lab.engine.tableAcked(event.a, delta.generation, 0n, 'command_failed', lab.nowMs);
      break;
    }
    case 'transit':
      lab.node(event.a).transit = event.transit;
      lab.engine.upsertNode({ index: event.a, name: `n${event.a}`, transit: event.transit }, lab.nowMs);
      break;
    case 'restart':
      lab.restart(event.saved ? lab.engine.exportState() : null);
      break;
    default:
      throw new Error(`unknown event ${JSON.stringify(event satisfies never)}`);
  }
  lab.step();
}

function eachPair(check: (from: number, to: number) => void): void {
  for (let a = 1; a <= SIZE; a++) for (let b = 1; b <= SIZE; b++) if (a !== b) check(a, b);
}

const cut = fc.record({ kind: fc.constant('cut' as const), a: node, b: node });

/** A group of one member is given up for the same one next hop, while another's group changes. */
const GROUP_OF_ONE: Event[] = [
  {
    kind: 'spread',
    destinations: [
      {
        to: 2,
        order: [3, 2, 4, 6, 1, 5],
        weights: [
          0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
      },
    ],
  },
  { kind: 'wait', ms: 800 },
  { kind: 'cut', a: 2, b: 6 },
  { kind: 'wait', ms: 1 },
  { kind: 'wait', ms: 1 },
  { kind: 'apply', a: 1 },
  { kind: 'return', a: 1, amnesia: false },
  { kind: 'wait', ms: 1197 },
  { kind: 'link', a: 1, b: 1, rttUs: 1000 },
  { kind: 'wait', ms: 1 },
  { kind: 'apply', a: 1 },
  { kind: 'transit', a: 1, transit: false },
  { kind: 'link', a: 1, b: 1, rttUs: 1000 },
  { kind: 'wait', ms: 1 },
  { kind: 'transit', a: 1, transit: false },
  { kind: 'transit', a: 1, transit: false },
  { kind: 'cut', a: 1, b: 1 },
  { kind: 'apply', a: 1 },
  { kind: 'apply', a: 1 },
  { kind: 'spread', destinations: [] },
];

/** As `perform`, with agents that are alive: they apply within the time for which they are waited. */
function performInTime(lab: Parameters<typeof perform>[0], event: Parameters<typeof perform>[1]): void {
  if (event.kind === 'wait') for (const n of lab.nodes.values()) while (n.inbox.length > 0) lab.apply(n.index);
  perform(lab, event);
}

// many events, each followed by all pairs' packets, on a machine that may be busy
describe('rollout', { timeout: 60_000 }, () => {
  it('never sends a packet round a loop or to a node without a row while links also die', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof({ weight: 9, arbitrary: calm }, { weight: 1, arbitrary: cut }, { weight: 1, arbitrary: spread }),
          {
            minLength: 20,
            maxLength: 120,
          },
        ),
        (events) => {
          const lab = mesh();
          for (const event of events) {
            performInTime(lab, event);
            eachPair((a, b) => expect(['delivered', 'dead_link'], `${a} to ${b}`).toContain(traceEach(lab, a, b).end));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  // the seed is of a weather in which a group of one gave way to the very next hop that stood behind it, unseen
  it.each([[{}], [{ seed: -1413273112 }]])(
    'delivers every packet on one plane without a loop at every moment while links only change in length %o',
    (weather) => {
      fc.assert(
        fc.property(
          fc.array(fc.oneof({ weight: 9, arbitrary: calm }, { weight: 1, arbitrary: spread }), {
            minLength: 20,
            maxLength: 120,
          }),
          (events) => {
            const lab = mesh();
            for (const event of events) {
              performInTime(lab, event);
              eachPair((a, b) => expect(traceEach(lab, a, b), `${a} to ${b}`).toMatchObject({ end: 'delivered' }));
            }
          },
        ),
        { numRuns: 40, ...weather },
      );
    },
  );

  it('comes to rest after any weather: tables as computed, every packet delivered where a path is', () => {
    fc.assert(
      fc.property(fc.array(storm, { minLength: 20, maxLength: 100 }), (events) => {
        const lab = mesh();
        for (const event of events) perform(lab, event);
        lab.instant = true;
        for (const n of lab.nodes.values()) if (!n.online) lab.reconnect(n.index);
        lab.run(60_000, 500);
        for (const n of lab.nodes.values()) {
          expect(n.table.checksum).toBe(checksumOf(n.table.rows()));
          const state = lab.engine.tableState(n.index);
          expect(state).toEqual({ acknowledged: n.table.generation, wanted: n.table.generation });
          // at rest both planes are alike
          const rows = (table: string) =>
            n.table.rows().flatMap((r) => (r.table === table ? [[r.destination, r.nextHops]] : []));
          expect(rows('transitA')).toEqual(rows('transitB'));
        }
        for (const path of lab.engine.paths()) {
          const [from, to] = [path.from, path.to].map((name) => Number(name.slice(1)));
          const trace = lab.trace(from ?? 0, to ?? 0);
          if (path.kind === 'unreachable') expect(trace.end).toBe('dead_link');
          else expect(traceEach(lab, from ?? 0, to ?? 0).end).toBe('delivered');
          if (path.kind !== 'unreachable')
            expect(trace).toEqual({ end: 'delivered', path: path.path.map((name) => Number(name.slice(1))) });
          expect(path.kind === 'unreachable' || path.installed).toBe(true);
        }
        expect(lab.engine.step(lab.nowMs)).toEqual([]);
      }),
      { numRuns: 40, examples: [[GROUP_OF_ONE]] },
    );
  });
});
