/** Which `host:port`s join tokens name when the operator names none. */
import { networkInterfaces } from 'node:os';
import type { AddressPlan } from '../protocol/address-plan.ts';
import { formatEndpoint } from '../protocol/endpoint.ts';
import type { ListenAddress } from './listen-address.ts';
import { EndpointFilter } from './session/endpoint-candidates.ts';

/** A token holds at most 16; the first that answers is used, so 8 are plenty and keep the token short. */
const MAX_ADVERTISED = 8;

/** The address that is listened on; for a wildcard, those of this host that another host can reach, IPv4 first. */
export function advertisedAddresses(listening: ListenAddress, plan: AddressPlan): string[] {
  const { host, port } = listening;
  if (host !== '0.0.0.0' && host !== '::') return [formatEndpoint({ address: host, port })];
  const filter = new EndpointFilter(plan);
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = own.filter(
    ({ address, internal, family }) => !internal && filter.usable(address) && (family === 'IPv4' || host === '::'),
  );
  usable.sort((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0));
  const unique = [...new Set(usable.map(({ address }) => formatEndpoint({ address, port })))].slice(0, MAX_ADVERTISED);
  return unique.length > 0 ? unique : [formatEndpoint({ address: '127.0.0.1', port })];
}
