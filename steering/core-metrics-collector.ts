/** Sets the gauges that are read at a scrape rather than kept. */
import type { DemandView, LinkView, LoadView } from '../protocol/api.ts';
import type { CoreParts, CoreViews } from './api/core-views.ts';
import type { CoreMetrics } from './metrics.ts';
import type { BackupCounts } from './rib/backup-choice.ts';
import type { SteeringCounters } from './steering-engine-port.ts';

/** `maxLinkNodes`: meshes of more nodes have no metrics per link, because their number rises with the square. */
export function collectCoreMetrics(
  metrics: CoreMetrics,
  views: CoreViews,
  parts: CoreParts,
  load: () => LoadView,
  options: { readonly maxLinkNodes: number },
): void {
  metrics.onCollect(() => {
    const { links, paths } = views.counts();
    for (const [state, count] of Object.entries(links)) metrics.links.set({ state }, count);
    for (const [kind, count] of Object.entries(paths)) metrics.paths.set({ kind }, count);
    setCoverage(metrics, parts.loop.engine.backupCounts());
    metrics.sessions.set(parts.hub.sessions);
    const policy = parts.hub.policy.summary();
    metrics.policyRules.set(policy.rules);
    metrics.policyDenied.set(policy.deniedPackets);
    for (const [state, nodes] of Object.entries(policy.enforcement)) metrics.policyNodes.set({ state }, nodes);
    metrics.nodes.set(parts.registry.size);
    metrics.generation.set(Number(parts.loop.engine.generation));
    metrics.behindNodes.set(views.convergence().behind);
    metrics.oldestPushSeconds.set(parts.loop.oldestPushS());
    metrics.caExpiry.set(Date.parse(parts.authority.certificate.validTo) / 1000);
    parts.hub.planning.measure();
    setIgnored(metrics, parts.loop.engine.counters);
    metrics.loadUtilisation.reset();
    const { highestUtilisation, latencyUtilisation } = load();
    if (highestUtilisation !== null) metrics.loadUtilisation.set({ tables: 'in_force' }, highestUtilisation);
    if (latencyUtilisation !== null) metrics.loadUtilisation.set({ tables: 'latency' }, latencyUtilisation);
    const isSmall = parts.registry.size <= options.maxLinkNodes;
    setLinks(metrics, isSmall ? views.links() : []);
    setDemand(metrics, views.demand(isSmall ? options.maxLinkNodes ** 2 : 0), isSmall);
  });
}

/** Where there is nothing to protect there is no sample. */
function setCoverage(metrics: CoreMetrics, { direct, detour }: BackupCounts): void {
  metrics.backupCoverage.reset();
  const pairs = direct.pairs + detour.pairs;
  if (pairs > 0) metrics.backupCoverage.set({ protection: 'link' }, (direct.link + detour.link) / pairs);
  if (detour.pairs > 0) metrics.backupCoverage.set({ protection: 'node' }, detour.node / detour.pairs);
}

/** The engine counts by itself; the counters here follow it. */
function setIgnored(
  metrics: CoreMetrics,
  { unknownPeer, selfLink, absurdValue, noSession, endsDisagree }: SteeringCounters,
): void {
  metrics.ignoredObservations.reset();
  const reasons = {
    unknown_peer: unknownPeer,
    self_link: selfLink,
    absurd_value: absurdValue,
    no_session: noSession,
    ends_disagree: endsDisagree,
  };
  for (const [reason, count] of Object.entries(reasons)) metrics.ignoredObservations.inc({ reason }, count);
}

/** A link without a measurement has no sample, rather than a 0. */
function setLinks(metrics: CoreMetrics, links: readonly LinkView[]): void {
  const { linkRtt, linkJitter, linkLoss, linkUtilisation, linkCapacity } = metrics;
  for (const gauge of [linkRtt, linkJitter, linkLoss, linkUtilisation, linkCapacity]) gauge.reset();
  for (const { from, to, rttUs, jitterUs, lossOutPpm, utilisation, capacityBps } of links) {
    if (utilisation !== null) linkUtilisation.set({ from, to }, utilisation);
    if (capacityBps !== null) linkCapacity.set({ from, to }, capacityBps / 8);
    if (rttUs !== null) metrics.linkRtt.set({ from, to }, rttUs / 1e6);
    if (jitterUs !== null) metrics.linkJitter.set({ from, to }, jitterUs / 1e6);
    if (lossOutPpm !== null) metrics.linkLoss.set({ from, to }, lossOutPpm / 1e6);
  }
}

/** `each`: the mesh is small enough for a series per pair and node. */
function setDemand(metrics: CoreMetrics, demand: DemandView, each: boolean): void {
  metrics.demandPairs.set(demand.pairCount);
  metrics.demandTotal.set(demand.totalBps / 8);
  metrics.refusedDemands.reset();
  metrics.refusedDemands.inc(demand.refused);
  for (const gauge of [metrics.demand, metrics.accessUtilisation, metrics.accessCapacity]) gauge.reset();
  if (!each) return;
  for (const { from, to, bps } of demand.pairs) metrics.demand.set({ from, to }, bps / 8);
  for (const { node, uplink, downlink } of demand.access) {
    for (const [direction, side] of [
      ['up', uplink],
      ['down', downlink],
    ] as const) {
      if (side.capacityBps === null || side.utilisation === null) continue;
      metrics.accessCapacity.set({ node, direction }, side.capacityBps / 8);
      metrics.accessUtilisation.set({ node, direction }, side.utilisation);
    }
  }
}
