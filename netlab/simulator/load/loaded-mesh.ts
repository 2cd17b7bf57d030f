/** A made-up mesh of sites with access lines, for simulations of load: links as peers are chosen, capacities by class. */
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import { seededRandom } from '../../seeded-random.ts';
import { choosePeers } from '../link-choice.ts';
import type { RttSource } from '../rtt-matrix.ts';

/** Share of the nodes, and what their access carries each way: points of presence, offices, shops. Shops forward nothing. */
const CLASSES = [
  { share: 0.1, bps: 10e9 },
  { share: 0.3, bps: 1e9 },
  { share: 0.6, bps: 250e6 },
] as const;
const LEAST_FORWARDING_BPS = 1e9;
/** Nearest forwarding nodes that everybody has a session with, as a leaf has. */
const HOMES = 3;
/** What the way between two accesses carries, as a share of the smaller one: it is shared with strangers. */
const LEAST_LINK = 0.3;
/** A node's traffic grows with its access, but not as fast. */
const WEIGHT_POWER = 0.8;

export interface LoadedMesh {
  readonly network: TrafficNetwork;
  /** How much of its place's traffic a node has: see demandOfStep. */
  readonly weight: Float64Array;
}

/** `degree`: sessions per node, about. The same seed makes the same mesh. */
export function makeLoadedMesh(rtts: RttSource, degree: number, seed: number): LoadedMesh {
  const nodeCount = rtts.size;
  const next = seededRandom(seed ^ 0x10ad);
  const access = Float64Array.from({ length: nodeCount }, () => accessOf(next()));
  const weight = access.map((bps) => (bps / 1e6) ** WEIGHT_POWER * (0.5 + next()));
  const [from, to, rttUs, capacityBps]: [number[], number[], number[], number[]] = [[], [], [], []];
  const forwards = Uint8Array.from(access, (bps) => (bps >= LEAST_FORWARDING_BPS ? 1 : 0));
  const peers = choosePeers(rtts, degree, seed).map((of) => new Set(of));
  for (const [a, b] of homes(rtts, forwards)) {
    peers[a]?.add(b);
    peers[b]?.add(a);
  }
  for (const [a, of] of peers.entries()) {
    for (const b of [...of].sort((x, y) => x - y)) {
      from.push(a);
      to.push(b);
      rttUs.push(rtts.rttUs(a, b) ?? 0);
      capacityBps.push(Math.min(access[a] ?? 0, access[b] ?? 0) * (LEAST_LINK + (1 - LEAST_LINK) * next()));
    }
  }
  const network: TrafficNetwork = {
    nodeCount,
    from: Int32Array.from(from),
    to: Int32Array.from(to),
    rttUs: Float64Array.from(rttUs),
    capacityBps: Float64Array.from(capacityBps),
    uplinkBps: access,
    downlinkBps: access,
    forwards,
  };
  return { network, weight };
}

/** Every node and its nearest forwarding nodes: without them shops would know shops only. */
function homes(rtts: RttSource, forwards: Uint8Array): [number, number][] {
  const relays = [...forwards.keys()].filter((v) => forwards[v] === 1);
  return Array.from({ length: rtts.size }, (_, a) => a).flatMap((a) =>
    relays
      .filter((b) => b !== a && rtts.rttUs(a, b) !== null)
      .sort((x, y) => (rtts.rttUs(a, x) ?? 0) - (rtts.rttUs(a, y) ?? 0) || x - y)
      .slice(0, HOMES)
      .map((b): [number, number] => [a, b]),
  );
}

/** `chance`: evenly from 0 to 1. */
function accessOf(chance: number): number {
  let below = 0;
  for (const { share, bps } of CLASSES) {
    below += share;
    if (chance < below) return bps;
  }
  return CLASSES[2].bps;
}
