/** Brings the peers' WireGuard tunnels up on a lab's hosts. They go with the lab. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateWireGuardKey, wireGuardPublicKey } from '../../agent/wireguard-key.ts';
import type { Lab } from '../../netlab/lab.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { tunnelStartLine, widenTunnels } from '../tunnel-start.ts';
import { planTunnels, type TunnelHost, wireGuardConfig } from './tunnel-plan.ts';

export class Tunnels {
  readonly hosts: readonly TunnelHost[];
  readonly #lab: Lab;
  readonly #keys = new Map<string, string>();

  constructor(lab: Lab) {
    this.#lab = lab;
    this.hosts = planTunnels(lab.hosts.map(({ name }) => name));
    for (const { name } of this.hosts) this.#keys.set(name, generateWireGuardKey());
  }

  /** Throws not_found. */
  host(name: string): TunnelHost {
    const host = this.hosts.find((known) => known.name === name);
    if (host === undefined) throw new ThalwegError('not_found', `no host is named ${name}`);
    return host;
  }

  /** Interfaces, addresses and forwarding of one host; also for one that lost its power. Throws command_failed. */
  async bringUp(name: string): Promise<void> {
    const host = this.host(name);
    const own = this.#keys.get(name) ?? '';
    const lines = [
      'set -e',
      `ip address replace ${host.address}/32 dev lo`,
      // as babeld sets for itself and BIRD's manual leaves to the operator
      'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0',
      'sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0',
      'sysctl -qw net.ipv6.conf.all.forwarding=1',
    ];
    const userSpace = tunnelStartLine(this.hosts.length);
    for (const tunnel of host.tunnels) {
      const peerKey = wireGuardPublicKey(this.#keys.get(tunnel.peer) ?? '');
      const file = join(this.#lab.hostDir(name), `${tunnel.interface}.conf`);
      const config = wireGuardConfig(tunnel, own, peerKey, this.#lab.underlayAddress(tunnel.peer));
      writeFileSync(file, config, { mode: 0o600 });
      const device = tunnel.interface;
      lines.push(
        `ip link add ${device} type wireguard 2>/dev/null || ${userSpace} wireguard-go ${device}`,
        `wg setconf ${device} ${file}`,
        `ip link set ${device} addrgenmode none`,
        `ip address add ${tunnel.linkAddress} dev ${device}`,
        `ip address add fe80::${host.number}/64 dev ${device} nodad`,
        `ip link set ${device} mtu 1420 up`,
      );
    }
    const result = await this.#lab.exec(name, ['sh', '-s'], { stdin: `${lines.join('\n')}\n` });
    if (result.exitCode !== 0)
      throw new ThalwegError('command_failed', `tunnels of ${name}: ${result.stderr.trim().slice(0, 400)}`);
    await widenTunnels(
      this.#lab,
      name,
      host.tunnels.map((tunnel) => tunnel.interface),
    );
  }
}
