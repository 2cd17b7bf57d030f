/** Keeps the traffic programs inside a lab: sending only ever goes to the lab's own hosts. */
import { readlinkSync } from 'node:fs';
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

/** Throws invalid_argument unless this process is in a network namespace of its own and `address` is a lab's. */
export function requireLab(address: string): void {
  if (!isLabAddress(address)) {
    throw new ThalwegError('invalid_argument', `address ${address} is outside the ranges that a lab uses`, {
      nextStep: 'send to a node address of a lab host',
    });
  }
  if (readlinkSync('/proc/self/ns/net') === readlinkSync('/proc/1/ns/net')) {
    throw new ThalwegError('invalid_argument', 'traffic is only sent inside a lab host', {
      nextStep: 'run it with `thalweg lab exec HOST`',
    });
  }
}
