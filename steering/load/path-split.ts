/** How a pair's packets are split over paths, how full those are, and what twice the demand would do. Pure; reads only. */
import type { PathSplit } from '../../protocol/api.ts';
import type { MeshNode, MeshState } from '../mesh-state.ts';
import { optimise } from '../traffic-engineering/optimise.ts';
import { loadInput } from './load-input.ts';

/** Paths that are listed: more than a person reads. The rest is summed up in their shares being less than 1. */
const MOST_PATHS = 8;
/** Larger meshes are not optimised for a question. */
const MOST_OPTIMISED_NODES = 128;

interface Use {
  readonly utilisation: number | null;
  /** What is fullest: `link a -> b`, `uplink of a`, `downlink of b`. */
  readonly limit: string | null;
}

/** Null: there is no path. */
export function pathSplit(mesh: MeshState, from: MeshNode, to: MeshNode, nowMs: number): PathSplit | null {
  const paths = heaviestPaths(from, to);
  if (paths.length === 0) return null;
  const members = paths.map(({ slots, share }) => {
    const path = slots.map((slot) => mesh.graph.indexOf(slot));
    const cost = mesh.costOf(path);
    return { path: path.map((index) => mesh.name(index)), share, cost, ...fullest(mesh, path, nowMs) };
  });
  const worst = members.reduce((a, b) => ((b.utilisation ?? -1) > (a.utilisation ?? -1) ? b : a));
  const doubled = worst.utilisation === null ? null : worst.utilisation * 2;
  return {
    demandBps: Math.round(mesh.traffic.demand.rate(from.index, to.index, nowMs) * 8),
    loadAware: to.rollout.committed.spread.size > 0,
    members,
    atTwice: {
      utilisation: doubled,
      limit: worst.limit,
      fitting: doubled === null ? null : Math.min(1, 1 / doubled),
      steeredUtilisation: steeredAtTwice(mesh, nowMs),
    },
  };
}

/** Highest utilisation of the whole mesh that load-aware tables would have if every demand were twice what it is. */
function steeredAtTwice(mesh: MeshState, nowMs: number): number | null {
  if (mesh.nodes.size > MOST_OPTIMISED_NODES) return null;
  const { network, demand } = loadInput(mesh, nowMs);
  const isLimited = [network.capacityBps, network.uplinkBps, network.downlinkBps].some((column) =>
    column?.some((bps) => bps !== Number.POSITIVE_INFINITY),
  );
  if (network.nodeCount < 2 || !isLimited) return null;
  return optimise(network, { ...demand, rateBps: demand.rateBps.map((bps) => bps * 2) }).highestUtilisation;
}

function heaviestPaths(from: MeshNode, to: MeshNode): { slots: number[]; share: number }[] {
  const found: { slots: number[]; share: number }[] = [];
  const committed = to.rollout.committed;
  const open: { slots: number[]; share: number }[] = [{ slots: [from.slot], share: 1 }];
  // the heaviest first, so that what is left out at the end is the lightest
  while (open.length > 0 && found.length < MOST_PATHS) {
    open.sort((a, b) => b.share - a.share);
    const path = open.shift();
    const at = path?.slots.at(-1);
    if (path === undefined || at === undefined) break;
    if (at === to.slot) {
      found.push(path);
      continue;
    }
    const members = committed.members(at);
    let sum = 0;
    for (const { weight } of members) sum += weight;
    for (const { slot, weight } of members) {
      if (path.slots.includes(slot)) continue;
      open.push({ slots: [...path.slots, slot], share: (path.share * weight) / sum });
    }
  }
  return found;
}

function fullest(mesh: MeshState, path: readonly number[], nowMs: number): Use {
  const { capacity } = mesh.traffic;
  let most: Use = { utilisation: null, limit: null };
  const see = (limit: string, carried: number | null, bytesPerSecond: number | null): void => {
    if (carried === null || bytesPerSecond === null) return;
    const utilisation = carried / bytesPerSecond;
    if (utilisation > (most.utilisation ?? -1)) most = { utilisation, limit };
  };
  for (let i = 1; i < path.length; i++) {
    const [a, b] = [path[i - 1] ?? 0, path[i] ?? 0];
    const link = `link ${mesh.name(a)} -> ${mesh.name(b)}`;
    see(link, capacity.carried(a, b, nowMs), capacity.link(a, b).bytesPerSecond);
    see(`uplink of ${mesh.name(a)}`, capacity.access(a, nowMs).sent, capacity.uplink(a).bytesPerSecond);
    see(`downlink of ${mesh.name(b)}`, capacity.access(b, nowMs).received, capacity.downlink(b).bytesPerSecond);
  }
  return most;
}
