/**
 * Packets that a host sends, counted by nft in its output hook, the same for everybody (forwarded packets do not pass there):
 *
 *   to_<host>   WireGuard packets on eth0 to that host: data and all else
 *   control     on the tunnels, what is not traffic: hellos, updates, probes, replies to them
 *   tunnel      WireGuard's own packets on eth0: handshakes (156, 100 bytes of UDP) and keepalives (40). Data never has these
 *               lengths: it is 40 bytes and a multiple of 16, more than 0 (WireGuard paper, section 5.4)
 *   stream      TCP on eth0: sessions with a core
 */
import type { Lab } from '../../netlab/lab.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { TRAFFIC_PORTS } from './traffic-ports.ts';

export type Counts = ReadonlyMap<string, number>;

export function counterRules(peers: readonly { readonly name: string; readonly underlay: string }[]): string {
  const { first, last } = TRAFFIC_PORTS;
  const names = [...peers.map(({ name }) => `to_${name}`), 'control', 'tunnel', 'stream'];
  return [
    'add table inet bench',
    'delete table inet bench',
    'table inet bench {',
    ...names.map((name) => `  counter ${name} { }`),
    '  chain out {',
    '    type filter hook output priority 0; policy accept;',
    ...peers.map(
      ({ name, underlay }) => `    oifname "eth0" ip daddr ${underlay} udp length > 0 counter name "to_${name}"`,
    ),
    '    oifname "eth0" udp length { 40, 100, 156 } counter name "tunnel"',
    '    oifname "eth0" meta l4proto tcp counter name "stream"',
    `    udp dport ${first}-${last} accept`,
    '    oifname "tw0" udp dport { 4790, 4791 } accept',
    '    oifname "tw0" counter name "control"',
    '    oifname "w-*" counter name "control"',
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Throws command_failed for what nft did not print. */
export function readCounterList(json: string): Counts {
  const counts = new Map<string, number>();
  try {
    const list = JSON.parse(json) as { nftables?: { counter?: { name?: unknown; packets?: unknown } }[] };
    for (const { counter } of list.nftables ?? []) {
      if (typeof counter?.name === 'string' && typeof counter.packets === 'number') {
        counts.set(counter.name, counter.packets);
      }
    }
  } catch (cause) {
    throw new ThalwegError('command_failed', 'nft: list of counters not understood', { cause });
  }
  return counts;
}

/** Per second between two readings; a counter that the first lacks began at 0. */
export function rateOf(name: string, before: Counts, after: Counts, seconds: number): number {
  return ((after.get(name) ?? 0) - (before.get(name) ?? 0)) / seconds;
}

export class HostCounters {
  readonly #lab: Lab;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async install(host: string): Promise<void> {
    const peers = this.#lab.hosts
      .filter(({ name }) => name !== host)
      .map(({ name }) => ({ name, underlay: this.#lab.underlayAddress(name) }));
    const result = await this.#lab.exec(host, ['nft', '-f', '-'], { stdin: counterRules(peers) });
    if (result.exitCode === 0) return;
    throw new ThalwegError('command_failed', `counters on ${host}: ${result.stderr.trim().slice(0, 300)}`);
  }

  async read(host: string): Promise<Counts> {
    return readCounterList((await this.#lab.exec(host, ['nft', '-j', 'list', 'counters'])).stdout);
  }
}
