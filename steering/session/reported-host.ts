/** What a node says of the host it runs on, as the registry keeps it. Pure. */
import { addressFromBytes, formatEndpoint, type HostPort } from '../../protocol/endpoint.ts';
import type { Endpoint, Hello, HostUpdate } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { NodeHost, NodeRecord } from '../store/store.ts';
import type { EndpointFilter } from './endpoint-candidates.ts';

/** `remoteAddress`: where its session comes from, which is a candidate too. */
export function reportedHost(filter: EndpointFilter, remoteAddress: string | null, said: Hello | HostUpdate) {
  const { listenPort, underlayMtuBytes, transit } = said;
  const reported = said.endpoints.flatMap(hostPort);
  const endpoints = filter.candidates(reported, remoteAddress, listenPort).map(formatEndpoint);
  return { endpoints, listenPort, underlayMtuBytes, transit };
}

/** The order of fields does not count. */
export function isSameHost(before: NodeHost | null, now: NodeHost): boolean {
  const sorted = (host: NodeHost) => JSON.stringify(Object.entries(host).sort(([a], [b]) => (a < b ? -1 : 1)));
  return before !== null && sorted(before) === sorted(now);
}

function hostPort({ address, port }: Endpoint): HostPort[] {
  const text = addressFromBytes(address);
  return text.ok ? [{ address: text.value, port }] : [];
}

/** Whether others need not be told of a node again. */
export function isSamePeer(before: NodeRecord, after: NodeRecord): boolean {
  if (before.publicKey !== after.publicKey) return false;
  return after.host === null || isSameHost(before.host, after.host);
}
