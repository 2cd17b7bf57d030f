/** From reports to links to the graph: what is believed, which pairs have arcs, and with what weight. */
import { carriedSample } from './capacity/capacity-book.ts';
import type { Link } from './link-state/link-state.ts';
import type { MeshState } from './mesh-state.ts';
import type { LinkObservation, LinkRole } from './steering-engine-port.ts';

/** Takes what a node measured on its links, but for links whose session is over. */
export function takeReports(
  { links, nodes, roles, traffic }: MeshState,
  from: number,
  reports: readonly LinkObservation[],
  nowMs: number,
): void {
  const isKnown = (peer: number) => nodes.has(peer);
  const believed = reports.filter(
    (report) =>
      (from === report.peerIndex || roles.of(from, report.peerIndex) !== 'none') &&
      links.report(from, report, isKnown, nowMs),
  );
  const samples = believed.map((report) => ({ to: report.peerIndex, ...carriedSample(report) }));
  traffic.capacity.observe(from, samples, nowMs);
}

/** The slots of a link that changed. */
export type OnLink = (low: number, high: number) => void;

/** Brings what changed of the links into the graph. True when anything did, be it a link that had no arcs before either. */
export function feedGraph(mesh: MeshState, nowMs: number, onLink: OnLink): boolean {
  const { links, graph, nodes, options, roles, backed } = mesh;
  links.tick(nowMs);
  let fed = false;
  for (const link of links.takeChanged()) {
    const low = nodes.get(link.low)?.slot;
    const high = nodes.get(link.high)?.slot;
    if (low === undefined || high === undefined) continue;
    // not every change is one of the graph: a pair may have lost its unmeasured link, or only a band's bottom moved
    fed = true;
    onLink(low, high);
    const role = roles.of(link.low, link.high);
    const isThere = link.filter.effective !== null && carries(role);
    if (isThere !== Number.isFinite(graph.weight(low, high))) backed.linkTurned(low, high);
    if (!isThere) {
      graph.removeArc(low, high);
      graph.removeArc(high, low);
      continue;
    }
    const isDrained = nodes.get(link.low)?.drained === true || nodes.get(link.high)?.drained === true;
    const weight = weightOf(link, role === 'leaving' || isDrained, options.untrustedUs);
    graph.setArc(low, high, weight);
    graph.setArc(high, low, weight);
  }
  return fed;
}

/** Roles of the session plan changed: null, every pair is planned. */
export function changeRoles(
  { links, graph, nodes, roles, backed }: MeshState,
  pairs: readonly { low: number; high: number; role: LinkRole }[] | null,
  onLink: OnLink,
): void {
  const limits = roles.everyPair && pairs !== null;
  roles.set(pairs);
  if (pairs === null || limits) {
    for (const { low, high } of [...links.all()]) {
      if (roles.of(low, high) === 'none') end(low, high);
      else links.touch(low, high);
    }
    backed.nodesTurned();
  }
  for (const { low, high, role } of pairs ?? []) {
    if (role === 'none') end(low, high);
    else links.touch(low, high);
    turned(low, high);
  }

  /** A link that is to go is nobody's backup, and may be one again when it is to stay. */
  function turned(a: number, b: number): void {
    const [low, high] = [nodes.get(a)?.slot, nodes.get(b)?.slot];
    if (low !== undefined && high !== undefined) backed.linkTurned(low, high);
  }

  function end(a: number, b: number): void {
    links.forget(a, b);
    const [low, high] = [nodes.get(a)?.slot, nodes.get(b)?.slot];
    if (low === undefined || high === undefined) return;
    graph.removeArc(low, high);
    graph.removeArc(high, low);
    onLink(low, high);
  }
}

function carries(role: LinkRole): boolean {
  return role === 'planned' || role === 'leaving';
}

/** A link that is not trusted yet, and one that nobody is to use, are dearer than any real path: a last resort. */
function weightOf(link: Link, isAvoided: boolean, lastResortUs: number): number {
  return link.band.topUs + (link.filter.held || isAvoided ? lastResortUs : 0);
}
