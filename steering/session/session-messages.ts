/** Between the messages of the agent stream and the core's own values. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { addressToBytes, parseEndpoint } from '../../protocol/endpoint.ts';
import { type Hello, LinkHealth, type LinkReport, type PeerSchema } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { publicKeyToBytes } from '../../protocol/identifier.ts';
import type { AccessLimits } from '../capacity/capacity-book.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import type { NodeRecord } from '../store/store.ts';

export type PeerInit = MessageInitShape<typeof PeerSchema>;

/** A node as its peers see it; nothing before its first Hello, when nobody knows how to reach it. */
export function peerMessage(node: NodeRecord, leaf = false): PeerInit[] {
  if (node.host === null) return [];
  const endpoints = node.host.endpoints.flatMap((text) => {
    const parsed = parseEndpoint(text);
    return parsed.ok ? [{ address: addressToBytes(parsed.value.address), port: parsed.value.port }] : [];
  });
  const { index, id: nodeId, name, publicKey } = node;
  const { transit, stampPort } = node.host;
  return [{ index, nodeId, name, publicKey: publicKeyToBytes(publicKey), endpoints, transit, stampPort, leaf }];
}

/** What a node measured, without links to nodes that are no peers of it (removed since, or never there) or twice named. */
export function linkObservations(report: LinkReport, isPeer: (index: number) => boolean): LinkObservation[] {
  const byPeer = new Map<number, LinkObservation>();
  for (const link of report.links) {
    if (!isPeer(link.peerIndex)) continue;
    byPeer.set(link.peerIndex, {
      peerIndex: link.peerIndex,
      health: link.health === LinkHealth.UP ? 'up' : link.health === LinkHealth.DOWN ? 'down' : 'unmeasured',
      rttUs: link.rttUs ?? null,
      minRttUs: link.minRttUs ?? null,
      jitterUs: link.jitterUs ?? null,
      lossOutPpm: ppm(link.lossOutPpm),
      lossInPpm: ppm(link.lossInPpm),
      handshakeAgeS: link.handshakeAgeS ?? null,
      sentBytesPerSecond: link.sentBytesPerSecond === undefined ? null : Number(link.sentBytesPerSecond),
      receivedBytesPerSecond: link.receivedBytesPerSecond === undefined ? null : Number(link.receivedBytesPerSecond),
    });
  }
  return [...byPeer.values()];
}

/** What a node's access was configured to carry; its frame has been checked. */
export function accessLimits({ uplinkBps, downlinkBps }: Pick<Hello, 'uplinkBps' | 'downlinkBps'>): AccessLimits {
  return {
    uplinkBytesPerSecond: uplinkBps === undefined ? null : Number(uplinkBps) / 8,
    downlinkBytesPerSecond: downlinkBps === undefined ? null : Number(downlinkBps) / 8,
  };
}

/** More than everything cannot be lost. */
function ppm(value: number | undefined): number | null {
  return value === undefined ? null : Math.min(value, 1_000_000);
}

/** How often a node is to speak, report and probe, as its welcome says it. */
export function paceMessage(options: {
  readonly heartbeatMs: number;
  readonly probeIntervalMs: number;
  readonly deadAfterMs: number;
  readonly reportIntervalMs: number;
  readonly demandIntervalMs: number;
}) {
  const { heartbeatMs, reportIntervalMs, demandIntervalMs, probeIntervalMs: intervalMs, deadAfterMs } = options;
  return { heartbeatMs, reportIntervalMs, demandIntervalMs, probePlan: { intervalMs, deadAfterMs } };
}
