/**
 * The peer of the throughput benchmark: plain wireguard-go (or kernel WireGuard) on the same hosts, without us.
 *
 *   a (10.250.0.1) ---- b (10.250.0.3)            one hop
 *   a (10.250.1.1) ---- r ---- b (10.250.1.3)     two hops: r forwards in the kernel, as a hand-made hub does
 */
import type { Lab } from '../netlab/lab.ts';
import { ThalwegError } from '../protocol/error.ts';
import { tunnelStart, widenTunnels } from './tunnel-start.ts';

const INTERFACE = 'pl0';
const PORT = 51_999;

interface PlainHost {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Which addresses are reached through which host. */
  readonly peers: Readonly<Record<string, readonly string[]>>;
}

const ONE = { a: '10.250.0.1', b: '10.250.0.3' };
const TWO = { a: '10.250.1.1', b: '10.250.1.3' };
/** Addresses of a and b for a test over one hop and over two. */
export const PLAIN_ADDRESSES = { one: ONE, two: TWO };

/** Brings the interfaces up on hosts a, r and b of a lab. They go with the lab. */
export async function addPlainWireGuard(lab: Lab): Promise<void> {
  const hosts: readonly PlainHost[] = [
    { name: 'a', addresses: [ONE.a, TWO.a], peers: { b: [ONE.b], r: [TWO.b] } },
    { name: 'r', addresses: ['10.250.0.2'], peers: { a: [TWO.a], b: [TWO.b] } },
    { name: 'b', addresses: [ONE.b, TWO.b], peers: { a: [ONE.a], r: [TWO.a] } },
  ];
  const keys = new Map<string, { secret: string; open: string }>();
  for (const { name } of hosts) {
    const secret = (await run(lab, name, ['wg', 'genkey'])).trim();
    keys.set(name, { secret, open: (await run(lab, name, ['wg', 'pubkey'], secret)).trim() });
  }
  for (const { name, addresses, peers } of hosts) {
    const kernel = await lab.exec(name, ['ip', 'link', 'add', INTERFACE, 'type', 'wireguard']);
    if (kernel.exitCode !== 0) {
      await run(lab, name, [...tunnelStart(lab.hosts.length), 'wireguard-go', INTERFACE]);
    }
    const sections = Object.entries(peers).map(([peer, allowed]) =>
      [
        '[Peer]',
        `PublicKey = ${keys.get(peer)?.open}`,
        `Endpoint = ${lab.underlayAddress(peer)}:${PORT}`,
        `AllowedIPs = ${allowed.join(', ')}`,
      ].join('\n'),
    );
    const own = `[Interface]\nPrivateKey = ${keys.get(name)?.secret}\nListenPort = ${PORT}`;
    // wg opens a file by its path, which a socket as standard input has not: cat makes it a pipe.
    const configure = ['sh', '-c', `cat | wg setconf ${INTERFACE} /dev/stdin`];
    await run(lab, name, configure, `${[own, ...sections].join('\n')}\n`);
    for (const address of addresses) await run(lab, name, ['ip', 'address', 'add', `${address}/32`, 'dev', INTERFACE]);
    await run(lab, name, ['ip', 'link', 'set', INTERFACE, 'mtu', '1420', 'up']);
    if (kernel.exitCode !== 0) await widenTunnels(lab, name, [INTERFACE]);
    for (const address of Object.values(peers).flat()) {
      await run(lab, name, ['ip', 'route', 'add', address, 'dev', INTERFACE]);
    }
  }
  await run(lab, 'r', ['sysctl', '-qw', `net.ipv4.conf.${INTERFACE}.forwarding=1`]);
}

async function run(lab: Lab, host: string, argv: readonly string[], stdin?: string): Promise<string> {
  const result = await lab.exec(host, argv, stdin === undefined ? {} : { stdin });
  if (result.exitCode === 0) return result.stdout;
  throw new ThalwegError('command_failed', `${argv.join(' ')} on ${host}: ${result.stderr.trim().slice(0, 300)}`);
}
