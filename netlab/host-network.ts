/** A host's end of the underlay: namespace, eth0, address, neighbours; and what pulling its plug does to them. */
import { mkdirSync, rmSync } from 'node:fs';
import { macAddressOf, UNDERLAY_PREFIX_BITS, underlayAddressOf } from './host-plan.ts';
import { rebootNamespace } from './lab-removal.ts';
import { runMachine } from './machine-command.ts';
import { ipBatch, listNamespaces, namespacePath } from './namespace.ts';
import { emptyNamespace } from './process-record.ts';
import type { UnderlayHost } from './underlay.ts';

/**
 * Address, neighbours and link state of eth0. Neighbours are static: on a delayed link ARP would cost each first packet
 * a round trip more, and a cut link would be noticed by ARP before anything else.
 */
export async function configureHost(host: UnderlayHost, hostCount: number): Promise<void> {
  const neighbours: string[] = [];
  for (let number = 1; number <= hostCount; number++) {
    if (number === host.number) continue;
    neighbours.push(`neigh replace ${underlayAddressOf(number)} lladdr ${macAddressOf(number)} dev eth0 nud permanent`);
  }
  await ipBatch(host.namespace, [
    'link set lo up',
    // No link-local address: neighbour discovery and multicast reports would be noise on the wire.
    `link set eth0 address ${macAddressOf(host.number)} addrgenmode none`,
    `addr add ${underlayAddressOf(host.number)}/${UNDERLAY_PREFIX_BITS} dev eth0`,
    'link set eth0 up',
    ...neighbours,
  ]);
}

/**
 * Ends everything on the host and gives it a new, empty network namespace under the same name, with the same eth0, down.
 * What a reboot forgets is forgotten: interfaces, routes, rules, nft, sysctls, sockets.
 */
export async function resetHost(lab: string, host: UnderlayHost, wireguardDir: string): Promise<void> {
  const spare = rebootNamespace(lab, host.name);
  await emptyNamespace(namespacePath(host.namespace));
  if (!listNamespaces().includes(spare)) await runMachine(['ip', 'netns', 'add', spare]);
  await ipBatch(host.namespace, ['link set eth0 down', `link set eth0 netns ${spare}`]);
  await runMachine(['ip', 'netns', 'del', host.namespace]);
  await runMachine(['ip', 'netns', 'add', host.namespace]);
  await ipBatch(spare, [`link set eth0 netns ${host.namespace}`]);
  await runMachine(['ip', 'netns', 'del', spare]);
  rmSync(wireguardDir, { recursive: true, force: true });
  mkdirSync(wireguardDir, { mode: 0o700 });
}
