/**
 * Hosts for tests of the data plane: network namespaces on one switch, each with a private /run/wireguard and a
 * KernelOverlay that works inside it.
 *
 *      a (192.0.2.1) ---+
 *      r (192.0.2.2) ---+--- bridge
 *      d (192.0.2.3) ---+
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelOverlay } from '../../overlay/kernel-overlay.ts';
import type { DesiredOverlay, OverlayNextHop, OverlayPeer, OverlayRoute } from '../../overlay/overlay-state.ts';
import { publicKeyOfFile } from '../../overlay/wireguard/key-file.ts';
import { DEFAULT_ADDRESS_PLAN } from '../../protocol/address-plan.ts';
import type { PublicKey } from '../../protocol/identifier.ts';

export const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('SKIPPED: lab tests need root (network namespaces)');

let labCount = 0;

export class OverlayHost {
  readonly name: string;
  readonly index: number;
  readonly namespace: string;
  readonly stateDir: string;
  readonly overlay: KernelOverlay;
  readonly prefix: readonly string[];
  readonly keyFile: string;
  publicKey: PublicKey | undefined;

  constructor(name: string, index: number, namespace: string, stateDir: string, holder: ChildProcess) {
    this.name = name;
    this.index = index;
    this.namespace = namespace;
    this.stateDir = stateDir;
    this.keyFile = join(stateDir, 'wireguard.key');
    this.prefix = ['nsenter', '-t', String(holder.pid), '-n', '-m', '--'];
    this.overlay = KernelOverlay.open({ stateDir, privateKeyFile: this.keyFile, commandPrefix: this.prefix });
  }

  /** Runs a command inside the host; returns its stdout, and throws with its stderr on a failure. */
  run(...argv: string[]): string {
    const [program = '', ...args] = [...this.prefix, ...argv];
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Like `run`, and returns what it printed whatever the exit code. */
  tryRun(...argv: string[]): string {
    try {
      return this.run(...argv);
    } catch (error) {
      return String((error as { stdout?: string }).stdout ?? '') + String((error as { stderr?: string }).stderr ?? '');
    }
  }

  spawn(...argv: string[]): ChildProcess {
    const [program = '', ...args] = [...this.prefix, ...argv];
    return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  get node4(): string {
    return `100.96.0.${this.index}`;
  }

  get node6(): string {
    return `fd74:6861:6c77::${this.index.toString(16)}`;
  }

  get tunnel(): string {
    return `100.112.0.${this.index}`;
  }
}

export class OverlayLab {
  readonly hosts: readonly OverlayHost[];
  readonly #holders: readonly ChildProcess[];
  readonly #dir: string;
  readonly #switch: string;

  private constructor(hosts: OverlayHost[], holders: ChildProcess[], dir: string, switchName: string) {
    this.hosts = hosts;
    this.#holders = holders;
    this.#dir = dir;
    this.#switch = switchName;
  }

  static async open(names: readonly string[], underlayMtuBytes = 1500): Promise<OverlayLab> {
    const lab = `ovl${process.pid % 100_000}-${labCount++}`;
    const dir = mkdtempSync(join(tmpdir(), 'ovl-'));
    const switchName = `${lab}-net`;
    const holders: ChildProcess[] = [];
    const hosts: OverlayHost[] = [];
    const opened = new OverlayLab(hosts, holders, dir, switchName);
    try {
      run('ip', 'netns', 'add', switchName);
      run('ip', '-n', switchName, 'link', 'add', 'sw', 'type', 'bridge');
      run('ip', '-n', switchName, 'link', 'set', 'sw', 'mtu', String(underlayMtuBytes), 'up');
      for (const [i, name] of names.entries()) {
        const index = i + 1;
        const namespace = `${lab}-${name}`;
        const stateDir = join(dir, name);
        mkdirSync(join(stateDir, 'run'), { recursive: true, mode: 0o700 });
        run('ip', 'netns', 'add', namespace);
        run(
          'ip',
          'link',
          'add',
          'eth0',
          'netns',
          namespace,
          'type',
          'veth',
          'peer',
          'name',
          `p${index}`,
          'netns',
          switchName,
        );
        run('ip', '-n', switchName, 'link', 'set', `p${index}`, 'mtu', String(underlayMtuBytes), 'master', 'sw', 'up');
        run('ip', '-n', namespace, 'address', 'add', `192.0.2.${index}/24`, 'dev', 'eth0');
        run('ip', '-n', namespace, 'link', 'set', 'eth0', 'mtu', String(underlayMtuBytes), 'up');
        run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
        const mount = `mkdir -p /run/wireguard && mount --bind '${stateDir}/run' /run/wireguard && echo ready && exec sleep 86400`;
        const holder = spawn('ip', ['netns', 'exec', namespace, 'unshare', '-m', 'sh', '-c', mount], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        holders.push(holder);
        await new Promise<void>((resolve, reject) => {
          holder.stdout?.once('data', () => resolve());
          holder.once('exit', () => reject(new Error(`the host ${name} could not be made`)));
        });
        const host = new OverlayHost(name, index, namespace, stateDir, holder);
        writeFileSync(host.keyFile, execFileSync('wg', ['genkey']), { mode: 0o600 });
        host.publicKey = await publicKeyOfFile(host.keyFile);
        hosts.push(host);
      }
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  host(name: string): OverlayHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  /** `ends`: hosts that forward for nobody. */
  peersOf(host: OverlayHost, ends: readonly OverlayHost[] = []): OverlayPeer[] {
    return this.hosts
      .filter((peer) => peer !== host)
      .map((peer) => ({
        publicKey: peer.publicKey as PublicKey,
        allowedIps: [`${peer.tunnel}/32`, `${peer.node4}/32`, `${peer.node6}/128`],
        endpoint: { address: `192.0.2.${peer.index}`, port: 51820 },
        forceEndpoint: false,
        wrapsOnly: ends.includes(peer) ? { tunnel: peer.tunnel, node4: peer.node4, node6: peer.node6 } : null,
      }));
  }

  /** Everybody direct, and every host forwards for every other on both planes. */
  desiredOf(
    host: OverlayHost,
    options: { transit?: boolean; routes?: readonly OverlayRoute[]; ends?: readonly OverlayHost[] } = {},
  ): DesiredOverlay {
    const overrides = new Map((options.routes ?? []).map((route) => [`${route.table} ${route.prefix}`, route]));
    const routes: OverlayRoute[] = [];
    for (const peer of this.hosts) {
      if (peer === host) continue;
      for (const prefix of [`${peer.node4}/32`, `${peer.node6}/128`]) {
        routes.push({ table: 'source', prefix, nextHops: [{ kind: 'direct', weight: 1 }] });
        if (options.transit === false) continue;
        routes.push({ table: 'transitA', prefix, nextHops: [detour('a', peer)] });
        routes.push({ table: 'transitB', prefix, nextHops: [detour('b', peer)] });
      }
    }
    return {
      addresses: { tunnel: host.tunnel, node4: host.node4, node6: host.node6 },
      ranges: DEFAULT_ADDRESS_PLAN,
      listenPort: 51820,
      tunnelMtuBytes: 1420,
      transit: options.transit ?? true,
      uplink: false,
      stampPort: 862,
      peers: this.peersOf(host, options.ends),
      routes: routes.map((route) => overrides.get(`${route.table} ${route.prefix}`) ?? route),
      policy: null,
    };
  }

  /** Ends every process of the hosts and removes namespaces and files. Idempotent. */
  close(): void {
    for (const namespace of [...this.hosts.map((host) => host.namespace), this.#switch]) {
      try {
        for (const pid of run('ip', 'netns', 'pids', namespace).split('\n')) {
          if (pid !== '') process.kill(Number(pid), 'SIGKILL');
        }
        run('ip', 'netns', 'del', namespace);
      } catch {
        // It was never made, or is gone.
      }
    }
    for (const holder of this.#holders) holder.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export function detour(plane: 'a' | 'b', via: OverlayHost, weight = 1): OverlayNextHop {
  return { kind: 'detour', plane, via: via.tunnel, weight };
}

/** Both families' source routes from one host to another, with the same next hops. */
export function sourceRoutes(to: OverlayHost, nextHops: readonly OverlayNextHop[]): OverlayRoute[] {
  return [`${to.node4}/32`, `${to.node6}/128`].map((prefix) => ({ table: 'source', prefix, nextHops }));
}

/** Polls until `check` is true; fails with what it was waiting for. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Replies of `count` pings, 0 when none came back. */
export function ping(host: OverlayHost, address: string, count = 3, ...options: string[]): number {
  const text = host.tryRun('ping', '-n', '-q', '-c', String(count), '-i', '0.05', '-W', '1', ...options, address);
  return Number(/(\d+) received/.exec(text)?.[1] ?? 0);
}

export function received(host: OverlayHost, device: string): number {
  return Number(JSON.parse(host.run('ip', '-j', '-s', 'link', 'show', device))[0].stats64.rx.packets);
}

export function readState(path: string): string {
  return readFileSync(path, 'utf8');
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
