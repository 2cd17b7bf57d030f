/** Sets the gauges that are read at a scrape rather than kept. */
import type { LinkView } from '../protocol/api.ts';
import type { CoreParts, CoreViews } from './api/core-views.ts';
import type { CoreMetrics } from './metrics.ts';
import type { SteeringCounters } from './steering-engine-port.ts';

/** `maxLinkNodes`: meshes of more nodes have no metrics per link, because their number rises with the square. */
export function collectCoreMetrics(
  metrics: CoreMetrics,
  views: CoreViews,
  parts: CoreParts,
  options: { readonly maxLinkNodes: number },
): void {
  metrics.onCollect(() => {
    const { links, paths } = views.counts();
    for (const [state, count] of Object.entries(links)) metrics.links.set({ state }, count);
    for (const [kind, count] of Object.entries(paths)) metrics.paths.set({ kind }, count);
    metrics.sessions.set(parts.hub.sessions);
    metrics.nodes.set(parts.registry.size);
    metrics.generation.set(Number(parts.loop.engine.generation));
    metrics.behindNodes.set(views.convergence().behind);
    metrics.oldestPushSeconds.set(parts.loop.oldestPushS());
    metrics.caExpiry.set(Date.parse(parts.authority.certificate.validTo) / 1000);
    setIgnored(metrics, parts.loop.engine.counters);
    setLinks(metrics, parts.registry.size <= options.maxLinkNodes ? views.links() : []);
  });
}

/** The engine counts by itself; the counters here follow it. */
function setIgnored(
  metrics: CoreMetrics,
  { unknownPeer, selfLink, absurdValue, endsDisagree }: SteeringCounters,
): void {
  metrics.ignoredObservations.reset();
  const reasons = {
    unknown_peer: unknownPeer,
    self_link: selfLink,
    absurd_value: absurdValue,
    ends_disagree: endsDisagree,
  };
  for (const [reason, count] of Object.entries(reasons)) metrics.ignoredObservations.inc({ reason }, count);
}

/** A link without a measurement has no sample, rather than a 0. */
function setLinks(metrics: CoreMetrics, links: readonly LinkView[]): void {
  for (const gauge of [metrics.linkRtt, metrics.linkJitter, metrics.linkLoss]) gauge.reset();
  for (const { from, to, rttUs, jitterUs, lossOutPpm } of links) {
    if (rttUs !== null) metrics.linkRtt.set({ from, to }, rttUs / 1e6);
    if (jitterUs !== null) metrics.linkJitter.set({ from, to }, jitterUs / 1e6);
    if (lossOutPpm !== null) metrics.linkLoss.set({ from, to }, lossOutPpm / 1e6);
  }
}
