/** The overlay on a real kernel: read, compute the difference, apply it in batches. */
import { isDeepStrictEqual } from 'node:util';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { type Logger, silentLogger } from '../protocol/log.ts';
import { SerialWork } from '../protocol/serial-work.ts';
import { type CommandRunner, runChecked } from './command-runner.ts';
import { KernelWatch } from './kernel-watch.ts';
import { KernelNftTable } from './nft/nft-table.ts';
import { detourDevices, OWN_DEVICES, TUNNEL_DEVICE } from './overlay-names.ts';
import type { ApplyReport, DemandCounter, DesiredOverlay, Overlay, PeerStatus, TrafficCount } from './overlay-state.ts';
import { checkDetours, checkPrograms, checkRanges, findWireGuard } from './preflight.ts';
import type { KernelSnapshot } from './route/kernel-snapshot.ts';
import { assertOurs, computeLinkPlan } from './route/link-plan.ts';
import { computeRepair } from './route/repair-plan.ts';
import {
  computeRoutePlan,
  computeRouteRemoval,
  type RoutePlan,
  type RouteUpdate,
  type StandbyObject,
} from './route/route-plan.ts';
import { readSnapshot } from './route/snapshot-reader.ts';
import { ShellRunner } from './shell-runner.ts';
import { HostSettings } from './sysctl/host-settings.ts';
import { CommandSysctls, FileSysctls, type SysctlStore } from './sysctl/sysctl-store.ts';
import { assertTunnelMtu, underlayAddressList, underlayMtu } from './underlay.ts';
import { type WireGuardBackend, WireGuardDevice } from './wireguard/wireguard-device.ts';

export interface KernelOverlayDeps {
  readonly runner: CommandRunner;
  readonly sysctls: SysctlStore;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface KernelOverlayOptions {
  /** Holds `host-settings.json`: what the host's own kernel settings were before ours. */
  readonly stateDir: string;
  /** The node's WireGuard key as `wg genkey` writes it, mode 0600. */
  readonly privateKeyFile: string;
}

/** What the monitors announce is read at once; all the rest at least this often. */
const FULL_READ_MS = 20_000;

/** What kernels before 5.13, and iproute2 before 5.12, say of a resilient group. */
const NO_SUCH_GROUPS = /group type|"type"|Unknown attribute type|Attribute failed policy/i;

/** wireguard-go opens its sockets when its device goes up. */
const OPENS_SOCKETS = new RegExp(`^link set ${TUNNEL_DEVICE} (.+ )?up$`);

interface Applied {
  readonly desired: DesiredOverlay;
  readonly snapshot: KernelSnapshot;
  readonly standbys: readonly StandbyObject[];
}

export class KernelOverlay implements Overlay {
  readonly #runner: CommandRunner;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #wireguard: WireGuardDevice;
  readonly #settings: HostSettings;
  readonly #nft: KernelNftTable;
  /** At most one apply or remove touches the kernel at a time. */
  readonly #turns = new SerialWork();
  #ranges: DesiredOverlay['ranges'] | undefined;
  /** The last apply, and what the kernel holds of ours since, if nobody else touched it. Undefined after a failure. */
  #applied: Applied | undefined;
  #watches = 0;
  /** The monitors announced something since all was read, perhaps only our own changes. */
  #touched = true;
  #readAtMonoMs = 0;
  /** Until the kernel says otherwise. */
  #resilientGroups = true;

  constructor(deps: KernelOverlayDeps, options: KernelOverlayOptions) {
    this.#runner = deps.runner;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#wireguard = new WireGuardDevice(deps, options);
    this.#nft = new KernelNftTable(deps);
    this.#settings = new HostSettings({ store: deps.sysctls }, options);
  }

  /** On this host, or through `commandPrefix` on another namespace's (`['nsenter', '-t', '4711', '-n', '-m', '--']`). */
  static open(
    options: KernelOverlayOptions & { readonly commandPrefix?: readonly string[] },
    deps: { readonly log?: Logger; readonly clock?: Clock } = {},
  ): KernelOverlay {
    const commandPrefix = options.commandPrefix ?? [];
    const runner = new ShellRunner({ commandPrefix });
    const sysctls = commandPrefix.length === 0 ? new FileSysctls() : new CommandSysctls(runner);
    return new KernelOverlay(
      { runner, sysctls, clock: deps.clock ?? systemClock, log: deps.log ?? silentLogger },
      options,
    );
  }

  async preflight(ranges: DesiredOverlay['ranges']): Promise<{ readonly wireguardBackend: WireGuardBackend }> {
    return this.#turns.run(async () => {
      await checkPrograms(this.#runner);
      const snapshot = await readSnapshot(this.#runner, 'all');
      const wireguardBackend = await findWireGuard(this.#runner, snapshot);
      await checkDetours(this.#runner, snapshot);
      checkRanges(snapshot, ranges);
      this.#ranges = ranges;
      return { wireguardBackend };
    });
  }

  /**
   * Other routes, peers or senders than at the last apply and nothing else: they are changed at once, without reading the rest
   * first, since hundreds of nodes may be changing theirs at this moment. The same value again: the kernel is read and
   * compared; only what no monitor announces (peers, settings) while the monitors are silent.
   */
  apply(desired: DesiredOverlay): Promise<ApplyReport> {
    return this.#turns.run(async () => {
      const applied = this.#applied;
      this.#applied = undefined;
      if (applied !== undefined && onlyTablesDiffer(applied.desired, desired)) {
        const report = await this.#applyTables(desired, applied);
        if (report !== undefined) return report;
      }
      if (applied !== undefined && this.#isUntouched() && isDeepStrictEqual(applied.desired, desired)) {
        const report = await this.#applyUnannounced(desired, applied);
        if (report !== undefined) return report;
      }
      this.#touched = false;
      this.#readAtMonoMs = this.#clock.monoMs();
      assertTunnelMtu(desired.tunnelMtuBytes);
      this.#ranges = desired.ranges;
      const changes: string[] = [];
      const [first, held, nft] = await Promise.all([
        readSnapshot(this.#runner),
        this.#wireguard.read(),
        this.#nft.readFor(desired),
      ]);
      let snapshot = first;

      // Filters stand before there is anything to filter.
      await this.#nft.apply(nft, desired, changes);

      let device = held;
      let devicesChanged = false;
      const tunnel = snapshot.links.find((link) => link.name === TUNNEL_DEVICE);
      if (tunnel !== undefined) assertOurs(tunnel, 'wireguard', 'tun');
      // A device that stands there and does not answer is asked twice before it is replaced.
      if (tunnel !== undefined) device ??= await this.#wireguard.read();
      if (tunnel === undefined || device === null) {
        const backend = await this.#wireguard.create(tunnel !== undefined);
        changes.push(`link add ${TUNNEL_DEVICE} (${backend})`);
        await runChecked(this.#runner, ['ip', 'link', 'set', TUNNEL_DEVICE, 'addrgenmode', 'none']);
        device = await this.#wireguard.read();
        if (device === null) throw new ThalwegError('command_failed', `wg does not see ${TUNNEL_DEVICE}, just made`);
        devicesChanged = true;
      }
      changes.push(...(await this.#wireguard.apply(desired, device)));

      let links = computeLinkPlan(desired, snapshot);
      await this.#batch(links.devices, changes);
      if (devicesChanged || links.devices.length > 0) {
        snapshot = await readSnapshot(this.#runner);
        links = computeLinkPlan(desired, snapshot);
      }
      changes.push(...(await this.#applySettings(desired, snapshot)));
      await this.#batch(links.addresses, changes);
      if (links.addresses.some((line) => OPENS_SOCKETS.test(line))) this.#wireguard.socketsOpened();
      changes.push(...(await this.#widenBuffers(snapshot)));
      const { after, standbys } = await this.#applyRoutes(desired, snapshot, changes);
      this.#applied = { desired, snapshot: { ...snapshot, ...after }, standbys };
      return { changes };
    });
  }

  /** Rules, next hops and routes; what the kernel holds of them then. */
  async #applyRoutes(desired: DesiredOverlay, snapshot: KernelSnapshot, changes: string[]): Promise<RouteUpdate> {
    const plan = computeRoutePlan(desired, snapshot, this.#resilientGroups);
    try {
      await this.#runPlan(plan, changes);
      return plan;
    } catch (error) {
      if (!this.#resilientGroups || !(error instanceof ThalwegError) || !NO_SUCH_GROUPS.test(error.message))
        throw error;
    }
    this.#resilientGroups = false;
    this.#log.warn('the kernel has no resilient next-hop groups: a change of weights moves more flows than it must');
    const again = computeRoutePlan(desired, await readSnapshot(this.#runner), false);
    await this.#runPlan(again, changes);
    return again;
  }

  /** Undefined: the kernel is not as we left it, and has to be read. */
  async #applyTables(
    desired: DesiredOverlay,
    { desired: before, snapshot }: Applied,
  ): Promise<ApplyReport | undefined> {
    const changes: string[] = [];
    const plan = computeRoutePlan(desired, snapshot, this.#resilientGroups);
    try {
      // Filters stand before there is anything to filter, here too.
      if (!(await this.#nft.applySets(before, desired, changes))) return undefined;
      if (!isDeepStrictEqual(before.peers, desired.peers)) {
        // Endpoints that WireGuard learned meanwhile are not ours to overwrite.
        const device = await this.#wireguard.read();
        if (device === null) return undefined;
        changes.push(...(await this.#wireguard.apply(desired, device)));
      }
      await this.#runPlan(plan, changes);
    } catch (error) {
      if (!(error instanceof ThalwegError) || error.code !== 'command_failed') throw error;
      this.#log.warn('the kernel was not as it was left', { reason: error.message });
      return undefined;
    }
    this.#applied = { desired, snapshot: { ...snapshot, ...plan.after }, standbys: plan.standbys };
    return { changes };
  }

  /** Nothing is done where the kernel may not be as it was left: the apply that follows will find out. */
  repair(down: ReadonlySet<string>): Promise<ApplyReport> {
    return this.#turns.run(async () => {
      const applied = this.#applied;
      const changes: string[] = [];
      if (applied === undefined) return { changes };
      const { main, sixNextHops, nextHops } = computeRepair(applied.standbys, applied.snapshot.nextHops, down);
      if (nextHops === undefined) return { changes };
      this.#applied = undefined;
      await this.#batch(main, changes);
      await this.#batch(sixNextHops, changes, ['-6']);
      this.#applied = { ...applied, snapshot: { ...applied.snapshot, nextHops } };
      return { changes };
    });
  }

  #isUntouched(): boolean {
    return this.#watches > 0 && !this.#touched && this.#clock.monoMs() < this.#readAtMonoMs + FULL_READ_MS;
  }

  /** Undefined: the device does not answer. */
  async #applyUnannounced(desired: DesiredOverlay, applied: Applied): Promise<ApplyReport | undefined> {
    const device = await this.#wireguard.read();
    if (device === null) return undefined;
    const changes = [...(await this.#wireguard.apply(desired, device))];
    changes.push(...(await this.#applySettings(desired, applied.snapshot)));
    changes.push(...(await this.#widenBuffers(applied.snapshot)));
    this.#applied = applied;
    return { changes };
  }

  async #applySettings(desired: DesiredOverlay, { links }: KernelSnapshot): Promise<readonly string[]> {
    const others = links.map((link) => link.name).filter((name) => !OWN_DEVICES.includes(name));
    const changes = await this.#settings.apply(desired, others);
    if (changes.length > 0) this.#log.info('kernel settings changed', { count: changes.length });
    if (changes.some((line) => line.endsWith('rp_filter=2'))) {
      this.#log.warn('the host filters all interfaces by reverse path: ours are set to loose', { rpFilter: 2 });
    }
    return changes;
  }

  async #widenBuffers({ links }: KernelSnapshot): Promise<readonly string[]> {
    const isProgram = links.some(({ name, kind }) => name === TUNNEL_DEVICE && kind === 'tun');
    return isProgram ? this.#wireguard.widenBuffers() : [];
  }

  takeKey(): Promise<void> {
    return this.#turns.run(() => this.#wireguard.takeKey());
  }

  async peerStatus(): Promise<readonly PeerStatus[]> {
    const device = await this.#wireguard.read();
    return (device?.peers ?? []).map(({ publicKey, endpoint, lastHandshakeAtMs, receivedBytes, sentBytes }) => ({
      publicKey,
      endpoint,
      lastHandshakeAtMs,
      receivedBytes,
      sentBytes,
    }));
  }

  demandCounters(): Promise<readonly DemandCounter[]> {
    return this.#nft.demandCounters();
  }

  deniedTraffic(): Promise<TrafficCount | null> {
    return this.#nft.denied();
  }

  async underlayMtuBytes(): Promise<number> {
    return underlayMtu(await readSnapshot(this.#runner, 'all'));
  }

  async underlayAddresses(): Promise<readonly string[]> {
    return underlayAddressList(await readSnapshot(this.#runner, 'all'), this.#ranges);
  }

  watch(onChange: () => void): { stop(): Promise<void> } {
    const watch = new KernelWatch({ runner: this.#runner, clock: this.#clock }, () => {
      this.#touched = true;
      onChange();
    });
    watch.start();
    this.#watches++;
    this.#touched = true; // what happened before the monitors listen was announced to nobody
    const stop = async (): Promise<void> => {
      this.#watches--;
      await watch.stop();
    };
    let stopped: Promise<void> | undefined;
    return {
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  }

  remove(): Promise<ApplyReport> {
    return this.#turns.run(async () => {
      this.#applied = undefined;
      const changes: string[] = [];
      const snapshot = await readSnapshot(this.#runner);
      // Rules first: from then on nothing is looked up in tables that are being emptied.
      await this.#runPlan(computeRouteRemoval(snapshot), changes);
      await this.#batch(
        ownLinks(snapshot).map((name) => `link del ${name}`),
        changes,
      );
      await this.#nft.remove(changes);
      changes.push(...(await this.#settings.restore()));
      return { changes };
    });
  }

  async #runPlan(plan: RoutePlan, changes: string[]): Promise<void> {
    await this.#batch(plan.sixNextHops, changes, ['-6']);
    await this.#batch(plan.main, changes);
    await this.#batch(plan.sixRules, changes, ['-6']);
  }

  async #batch(commands: readonly string[], changes: string[], options: readonly string[] = []): Promise<void> {
    if (commands.length === 0) return;
    await runChecked(this.#runner, ['ip', ...options, '-batch', '-'], { stdin: `${commands.join('\n')}\n` });
    for (const command of commands) changes.push(command);
  }
}

/** False also where nothing differs: then the caller wants the kernel compared. */
function onlyTablesDiffer(before: DesiredOverlay, after: DesiredOverlay): boolean {
  const { routes: routesBefore, peers: peersBefore, policy: policyBefore, ...restBefore } = before;
  const { routes: routesAfter, peers: peersAfter, policy: policyAfter, ...restAfter } = after;
  if (!isDeepStrictEqual(restBefore, restAfter)) return false;
  const tablesBefore = [routesBefore, peersBefore, policyBefore];
  return !isDeepStrictEqual(tablesBefore, [routesAfter, peersAfter, policyAfter]);
}

/** Devices of ours by name and kind: a device of our name and another kind is somebody else's. */
function ownLinks({ links }: KernelSnapshot): string[] {
  const planes = detourDevices(true).map(({ device }) => device);
  return links
    .filter(({ name, kind }) =>
      name === TUNNEL_DEVICE ? kind === 'wireguard' || kind === 'tun' : planes.includes(name) && kind === 'vxlan',
    )
    .map((link) => link.name)
    .sort((a, b) => planes.indexOf(b) - planes.indexOf(a));
}
