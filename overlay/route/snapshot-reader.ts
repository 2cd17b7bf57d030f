/** Reads a kernel's links, addresses, rules, next hops and our routes with two processes. */
import { type Parsed, ThalwegError } from '../../protocol/error.ts';
import { type CommandRunner, runChecked } from '../command-runner.ts';
import { ROUTE_PROTOCOL } from '../overlay-names.ts';
import {
  type KernelSnapshot,
  parseAddresses,
  parseIpBatch,
  parseLinks,
  parseNextHops,
  parseRoutes,
  parseRules,
} from './kernel-snapshot.ts';

/**
 * `routes`: `ours` reads routes of our protocol only (the kernel filters, so a host with a full table costs nothing);
 * `all` reads every table.
 */
export async function readSnapshot(runner: CommandRunner, routes: 'ours' | 'all' = 'ours'): Promise<KernelSnapshot> {
  const filter = routes === 'ours' ? ` protocol ${ROUTE_PROTOCOL}` : '';
  // A batch takes one family for all its lines: without one, `nexthop` and `route ... table all` print both families
  // and `rule` IPv4. `-d` goes to the second, small one: with it, routes would repeat their next hops in full.
  const [mixed, six] = await Promise.all([
    runChecked(runner, ['ip', '-j', '-N', '-batch', '-'], {
      stdin: `address show\nrule show\nnexthop show\nroute show table all${filter}\n`,
    }),
    runChecked(runner, ['ip', '-j', '-d', '-N', '-6', '-batch', '-'], {
      stdin: 'rule show\nnexthop show\nlink show\n',
    }),
  ]);
  const [addresses = [], rules4 = [], nextHops = [], ourRoutes = []] = checked(parseIpBatch(mixed, 4));
  const [rules6 = [], nextHops6 = [], links = []] = checked(parseIpBatch(six, 3));
  const sixIds = new Set(checked(parseNextHops(nextHops6, new Set())).map((nextHop) => nextHop.id));
  return {
    links: checked(parseLinks(links)),
    addresses: checked(parseAddresses(addresses)),
    rules: [...checked(parseRules(rules4, 4)), ...checked(parseRules(rules6, 6))],
    nextHops: checked(parseNextHops(nextHops, sixIds)),
    routes: checked(parseRoutes(ourRoutes)),
  };
}

function checked<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new ThalwegError('command_failed', `ip: output not understood: ${parsed.reason}`, {
    fields: { program: 'ip' },
    nextStep: 'check that iproute2 is version 6.1 or newer: ip -V',
  });
}
