/** What people see of the mesh: links, paths, and why a path is what it is. Reads the state, changes nothing. */
import type { CostTerms, LinkView, PathExplanation, PathView } from '../protocol/api.ts';
import { pathCost } from './link-state/link-cost.ts';
import { pathSplit } from './load/path-split.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { whyNot } from './rib/path-explanation.ts';
import { type ComputeTree, SpfTree } from './spf/spf-tree.ts';

type ToUnixMs = (monoMs: number) => number;

/** Every ordered pair that holds a session, in order of the names' indices. */
export function linkViews(mesh: MeshState, nowMs: number, toUnixMs: ToUnixMs): LinkView[] {
  const views: LinkView[] = [];
  for (const [from, to] of pairs(mesh)) {
    const role = mesh.roles.of(from.index, to.index);
    if (role === 'none') continue;
    const link = mesh.links.get(from.index, to.index);
    const end = link === undefined ? null : link.low === from.index ? link.lowEnd : link.highEnd;
    const seen = end?.observation;
    views.push({
      from: from.name,
      to: to.name,
      role,
      health: seen?.health ?? 'unmeasured',
      rttUs: seen?.rttUs ?? null,
      minRttUs: seen?.minRttUs ?? null,
      jitterUs: seen?.jitterUs ?? null,
      lossOutPpm: seen?.lossOutPpm ?? null,
      lossInPpm: seen?.lossInPpm ?? null,
      handshakeAgeS: seen?.handshakeAgeS ?? null,
      cost: link?.filter.effective ?? null,
      updatedAtMs: end === null ? null : toUnixMs(end.atMs),
      demandBps: Math.round(mesh.traffic.demand.rate(from.index, to.index, nowMs) * 8),
      ...use(mesh, from.index, to.index, nowMs),
    });
  }
  return views;
}

export function pathViews(mesh: MeshState, toUnixMs: ToUnixMs): PathView[] {
  return pairs(mesh).map(([from, to]) => pathView(mesh, from, to, toUnixMs));
}

function pathView(mesh: MeshState, from: MeshNode, to: MeshNode, toUnixMs: ToUnixMs): PathView {
  const record = mesh.log.get(from.index, to.index);
  const path = record?.path ?? [];
  return {
    from: from.name,
    to: to.name,
    path: path.map((index) => mesh.name(index)),
    kind: path.length === 0 ? 'unreachable' : path.length === 2 ? 'direct' : 'detour',
    rttUs: rttOf(mesh, path),
    directRttUs: mesh.links.get(from.index, to.index)?.rttUs ?? null,
    cost: mesh.costOf(path),
    sinceMs: record?.sinceUnixMs ?? toUnixMs(Math.max(from.joinedMs, to.joinedMs)),
    reason: record?.reason ?? 'unreachable',
    installed: path.length > 0 && to.rollout.isInstalled(path.map((index) => mesh.graph.slotOf(index) ?? -1)),
  };
}

/** Sum of the links' merged RTTs; null when one is not measured. */
function rttOf(mesh: MeshState, path: readonly number[]): number | null {
  let sum = path.length < 2 ? null : 0;
  for (let i = 1; i < path.length && sum !== null; i++) {
    const rttUs = mesh.links.get(path[i - 1] ?? 0, path[i] ?? 0)?.rttUs ?? null;
    sum = rttUs === null ? null : sum + rttUs;
  }
  return sum;
}

/** The path of a pair with its terms, its runner-up, and the pair's last changes. */
export function explanation(
  mesh: MeshState,
  from: MeshNode,
  to: MeshNode,
  nowMs: number,
  computeTree: ComputeTree,
  toUnixMs: ToUnixMs,
): PathExplanation {
  const view = pathView(mesh, from, to, toUnixMs);
  const path = mesh.log.get(from.index, to.index)?.path ?? [];
  const costs = mesh.hopCosts(path) ?? [];
  return {
    ...view,
    hops: costs.map((cost, i) => ({ from: mesh.name(path[i] ?? 0), to: mesh.name(path[i + 1] ?? 0), cost })),
    runnerUp: runnerUp(mesh, from, to, path, view.cost, nowMs, computeTree),
    split: pathSplit(mesh, from, to, nowMs),
    recentChanges: mesh.log.recent(from.name, to.name, 10),
  };
}

/** Shortest path once the first link of the chosen path is banned. */
function runnerUp(
  mesh: MeshState,
  from: MeshNode,
  to: MeshNode,
  path: readonly number[],
  chosen: CostTerms | null,
  nowMs: number,
  computeTree: ComputeTree,
): PathExplanation['runnerUp'] {
  const firstHop = mesh.graph.slotOf(path[1] ?? 0);
  if (firstHop === undefined || chosen === null) return null;
  const frozen = [...mesh.nodes.values()].filter((node) => node.table.frozen);
  const tree = new SpfTree();
  computeTree(mesh.graph, to.slot, { ...mesh.rulesFor(to, frozen), banned: { from: from.slot, to: firstHop } }, tree);
  const other = [from.index];
  for (let v = tree.nextHop[from.slot] ?? -1; v >= 0; v = tree.nextHop[v] ?? -1) other.push(mesh.graph.indexOf(v));
  const costs = mesh.hopCosts(other);
  if (other.length < 2 || costs === null) return null;
  const cost = pathCost(costs, mesh.options.cost);
  const times = to.timers.get(from.slot);
  const since = (ms: number | undefined): number | null =>
    ms === undefined || Number.isNaN(ms) ? null : Math.max(0, nowMs - ms);
  const untrusted = other.slice(1).some((index, i) => mesh.links.get(other[i] ?? 0, index)?.filter.held === true);
  const hold = {
    winsForMs: since(times?.winsSinceMs),
    settlesForMs: since(times?.settlesSinceMs),
    moving: !to.rollout.wanted.equalAt(to.rollout.committed, from.slot),
    untrustedForMs: untrusted ? mesh.options.filter.recoverHoldMs : null,
    unprovenUs: path.length === 2 ? unprovenUs(mesh, other) : null,
  };
  return {
    path: other.map((index) => mesh.name(index)),
    cost,
    behindUs: cost.totalUs - chosen.totalUs,
    whyNot: whyNot(chosen, cost, hold, mesh.options.incumbency),
  };
}

/** The bottom of the direct link's band when the tops of the detour's links are not below it; null: they are, or it has none. */
function unprovenUs(mesh: MeshState, detour: readonly number[]): number | null {
  const direct = mesh.links.get(detour[0] ?? 0, detour.at(-1) ?? 0)?.band;
  if (direct === undefined || direct.bottomUs >= direct.topUs) return null;
  const topUs = detour.slice(1).reduce((sum, v, i) => sum + (mesh.links.get(detour[i] ?? 0, v)?.band.topUs ?? 0), 0);
  return topUs + (detour.length - 2) * mesh.options.cost.transitHopUs < direct.bottomUs ? null : direct.bottomUs;
}

function pairs(mesh: MeshState): [MeshNode, MeshNode][] {
  const nodes = [...mesh.nodes.values()].sort((a, b) => a.index - b.index);
  return nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to): [MeshNode, MeshNode] => [from, to]));
}

function use(mesh: MeshState, from: number, to: number, nowMs: number) {
  const { capacity } = mesh.traffic;
  const carried = capacity.carried(from, to, nowMs);
  const { bytesPerSecond } = capacity.link(from, to);
  return {
    carriedBps: carried === null ? null : Math.round(carried * 8),
    capacityBps: bytesPerSecond === null ? null : Math.round(bytesPerSecond * 8),
    utilisation: carried === null || bytesPerSecond === null ? null : carried / bytesPerSecond,
  };
}
