/**
 * A made-up instance of any size, for sizes of which no data has demands: nodes in a plane, links as Waxman draws them
 * (Routing of Multipoint Connections, IEEE JSAC 6(9), 1988) over a tree that connects all, demands of all pairs by gravity.
 * Capacities as of a network that was built for its shortest paths and has grown unevenly since: 1 to 3 times what those put on the
 * link. Demands are scaled so that what is proven to be the least highest utilisation is 0.90.
 */
import { seededRandom } from '../../netlab/seeded-random.ts';
import { forwardedLoads } from '../../steering/traffic-engineering/forwarded-loads.ts';
import { optimise } from '../../steering/traffic-engineering/optimise.ts';
import { repetitaNetwork } from '../../steering/traffic-engineering/repetita-network.ts';
import { demandByDestination } from '../../steering/traffic-engineering/traffic-demand.ts';
import { baselineTables } from './baseline-tables.ts';
import type { TrafficInstance } from './repetita-files.ts';

/** Kilometres from side to side: a continent. */
const SIDE_KM = 4_000;
/** Links per node, both directions as one: what Rocketfuel's topologies of this size have. */
const LINKS_PER_NODE = 2.5;
/** Waxman's beta: how much rarer long links are. */
const LONG = 0.15;
/** Capacity over what the shortest paths carry: at least, and at most so much more. No link is below 1 Gbit/s. */
const LEAST_ROOM = 1;
const MORE_ROOM = 2;
const LEAST_BPS = 1e9;
const TARGET = 0.9;

/** `nodes`: 3 to 2,048. The same seed makes the same instance. */
export function syntheticInstance(nodes: number, seed: number): TrafficInstance {
  const next = seededRandom(seed);
  const x = Float64Array.from({ length: nodes }, () => next() * SIDE_KM);
  const y = Float64Array.from({ length: nodes }, () => next() * SIDE_KM);
  const km = (a: number, b: number) => Math.hypot((x[a] ?? 0) - (x[b] ?? 0), (y[a] ?? 0) - (y[b] ?? 0));
  const pairs = new Map<number, readonly [number, number]>();
  const join = (a: number, b: number) => pairs.set(Math.min(a, b) * nodes + Math.max(a, b), [a, b]);
  // each to the nearest that came before it: all are connected
  for (let v = 1; v < nodes; v++) {
    let nearest = 0;
    for (let u = 1; u < v; u++) if (km(v, u) < km(v, nearest)) nearest = u;
    join(v, nearest);
  }
  while (pairs.size < nodes * LINKS_PER_NODE) {
    const [a, b] = [Math.floor(next() * nodes), Math.floor(next() * nodes)];
    if (a !== b && next() < Math.exp(-km(a, b) / (LONG * SIDE_KM))) join(a, b);
  }
  const both = [...pairs.values()].flatMap(([a, b]) => [
    { from: a, to: b },
    { from: b, to: a },
  ]);
  const graph = {
    labels: Array.from(x, (_, v) => `n${v}`),
    x,
    y,
    linkLabels: both.map(({ from, to }) => `n${from}-n${to}`),
    from: Int32Array.from(both, ({ from }) => from),
    to: Int32Array.from(both, ({ to }) => to),
    weight: new Float64Array(both.length).fill(1),
    capacityBps: new Float64Array(both.length).fill(1e15),
    // as in the files of the Topology Zoo: great-circle km / 0.59
    delay: Float64Array.from(both, ({ from, to }) => km(from, to) / 0.59 + 1),
  };
  // masses over two orders of magnitude
  const mass = Float64Array.from({ length: nodes }, () => Math.exp(4.6 * next()));
  const rows = [...mass.keys()].flatMap((s) => [...mass.keys()].filter((t) => t !== s).map((t) => [s, t] as const));
  const demand = {
    from: Int32Array.from(rows, ([s]) => s),
    to: Int32Array.from(rows, ([, t]) => t),
    rateBps: Float64Array.from(rows, ([s, t]) => (mass[s] ?? 0) * (mass[t] ?? 0) * 1e5),
  };
  const shortest = forwardedLoads(
    repetitaNetwork(graph),
    baselineTables(repetitaNetwork(graph), graph.delay, false),
    demandByDestination(demand, nodes),
  );
  for (const [link, bps] of shortest.linkBps.entries()) {
    graph.capacityBps[link] = Math.max(LEAST_BPS, bps * (LEAST_ROOM + MORE_ROOM * next()));
  }
  const { lowerBound } = optimise(repetitaNetwork(graph), demand, { stretch: null, calmUtilisation: 0 });
  const scaled = { ...demand, rateBps: demand.rateBps.map((bps) => (bps * TARGET) / lowerBound) };
  const labels = rows.map(([s, t]) => `n${s}-n${t}`);
  return { name: `synthetic-${nodes}.${seed}`, graph, demand: { ...scaled, labels } };
}
