/** Keeps the traffic programs inside a lab: sending only ever goes to the lab's own hosts. */
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { ThalwegError } from '../../protocol/error.ts';

/** CGNAT (RFC 6598), where node addresses live; documentation and benchmark ranges (RFC 5737, 2544); ULA (RFC 4193). */
const ranges = new BlockList();
ranges.addSubnet('100.64.0.0', 10, 'ipv4');
ranges.addSubnet('192.0.2.0', 24, 'ipv4');
ranges.addSubnet('198.18.0.0', 15, 'ipv4');
ranges.addSubnet('fc00::', 7, 'ipv6');

/** True for addresses that nothing outside a lab can have. */
export function isLabAddress(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && ranges.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/**
 * True when the text of /proc/net/route has a default route. A lab host has none: its underlay is one segment. A
 * namespace that has one can reach more than a lab.
 */
export function hasDefaultRoute(routes: string): boolean {
  return routes.split('\n').some((line) => {
    const [device = '', destination, , , , , , mask] = line.split('\t').map((column) => column.trim());
    return device !== '' && destination === '00000000' && mask === '00000000';
  });
}

/** Throws invalid_argument unless this process is on a lab host and `address` is one that only labs use. */
export function requireLab(address: string): void {
  if (!isLabAddress(address)) {
    throw new ThalwegError('invalid_argument', `address ${address} is outside the ranges that a lab uses`, {
      nextStep: 'send to a node address of a lab host',
    });
  }
  if (hasDefaultRoute(readFileSync('/proc/self/net/route', 'latin1'))) {
    throw new ThalwegError('invalid_argument', 'traffic is only sent on a lab host, which has no default route', {
      nextStep: 'run it with `thalweg lab exec HOST`',
    });
  }
}
