/**
 * The agent: holds what it knows (identity, peers, table, links) and lets its parts change the kernel and talk to the
 * core. Everything arrives as an event on the main thread, changes that state, and asks the reconciler for an apply.
 *
 *   core session --peers, deltas--> state --> reconciler --> kernel
 *   prober ------summaries-------> state --> link reports --> core session
 */
import type { DesiredOverlay, Overlay } from '../overlay/overlay-state.ts';
import type { Prober } from '../overlay/stamp/prober.ts';
import type { AddressRanges } from '../protocol/address-plan.ts';
import type { HealthView } from '../protocol/api.ts';
import type { Clock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { MAX_DEMANDS_PER_REPORT } from '../protocol/frame-codec.ts';
import type { PeerUpdate, ProbePlan, Welcome } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { type PublicKey, parseNodeName, publicKeyToBytes } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../protocol/version.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type ConnectionState, CoreConnection } from './core-connection.ts';
import type { OpenCoreStream } from './core-stream.ts';
import { DemandMeter } from './demand-meter.ts';
import { allowedIpsOf, computeFib, type Fib } from './fib.ts';
import { type HostSituation, hostFields, readHostSituation, sameSituation, tunnelMtuBytes } from './host-situation.ts';
import {
  checkedPlan,
  type Identity,
  type IdentityStore,
  type OwnAddresses,
  ownAddresses,
  rangesOf,
} from './identity.ts';
import { LinkWatch } from './link-watch.ts';
import { PeerSet } from './mesh-peer.ts';
import type { AgentMetrics, AgentSnapshot } from './metrics.ts';
import { PeriodicTask } from './periodic-task.ts';
import { type ReconcileOutcome, Reconciler } from './reconciler.ts';
import type { ReconnectOptions } from './reconnect.ts';
import { TableKeeper, type TableTag } from './table-keeper.ts';
import { TableStore } from './table-store.ts';

export interface MeshAgentDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly overlay: Overlay;
  /** A fresh prober: one is used for as long as the node's tunnel address stays. */
  readonly createProber: () => Prober;
  readonly open: OpenCoreStream;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** 16 random bytes that tell this run from the last. */
  readonly instanceId: Uint8Array;
  readonly identityStore: IdentityStore;
  readonly metrics: AgentMetrics;
}

export interface MeshAgentOptions {
  readonly identity: Identity;
  readonly publicKey: PublicKey;
  readonly listenPort: number;
  readonly transit: boolean;
  readonly stampPort: number;
  readonly reconcileIntervalMs: number;
  readonly reconnect?: ReconnectOptions;
}

/** Sessions are read this often while some peer has none, else every `STATUS_IDLE_MS`: reading them costs a process. */
const STATUS_SEARCHING_MS = 1000;
const STATUS_IDLE_MS = 5000;
/** The underlay is read again at least this often: not every change of it is announced. */
const UNDERLAY_REFRESH_MS = 30_000;
const LAG_TICK_MS = 1000;
/** The core's time is worth a write this often. */
const SAVE_CLOCK_MS = 600_000;
/** Paces of the core's that would cost a device more than they tell are not followed. */
const MIN_REPORT_INTERVAL_MS = 200;
const MIN_DEMAND_INTERVAL_MS = 1000;
const MIN_PROBE_INTERVAL_MS = 10;

export class MeshAgent {
  readonly #deps: MeshAgentDeps;
  readonly #options: MeshAgentOptions;
  readonly #reconciler: Reconciler<TableTag>;
  readonly #connection: CoreConnection;
  readonly #store: TableStore;
  readonly #links: LinkWatch;
  readonly #table: TableKeeper;
  readonly #certificate: CertificateKeeper;
  readonly #demand = new DemandMeter();
  readonly #tasks: readonly PeriodicTask[];
  #identity: Identity;
  #ranges: AddressRanges;
  #own: OwnAddresses;
  #peers: PeerSet;
  #situation: HostSituation = { underlayAddresses: [], underlayMtuBytes: 1500 };
  #situationReadAtMonoMs = 0;
  #underlayTouched = false;
  #wireguardBackend = '';
  #fib: Fib | undefined;
  #lastError: ThalwegError | undefined;
  #state: ConnectionState = 'connecting';
  #confirmedAtMonoMs: number | undefined;
  #savedClockAtMonoMs = Number.NEGATIVE_INFINITY;
  #reportIntervalMs = 5000;
  #demandIntervalMs = 10_000;
  #lagMs = 0;
  #lagWantedAtMonoMs = 0;
  #stopping: Promise<void> | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(deps: MeshAgentDeps, options: MeshAgentOptions) {
    const { clock, log, overlay, metrics, identityStore } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#identity = options.identity;
    this.#ranges = rangesOf(options.identity.addressPlan);
    this.#own = ownAddresses(options.identity);
    this.#peers = new PeerSet(options.identity.index);
    this.#store = new TableStore(
      { log, onWriteFailed: (code) => metrics.tableWriteFailed(code) },
      { stateDir: identityStore.stateDir },
    );
    this.#table = new TableKeeper({ log, send: (body) => this.#connection.send(body) });
    this.#certificate = new CertificateKeeper({
      clock,
      log,
      identityStore,
      sendRenewRequest: (signingRequestDer) =>
        this.#connection.send({ case: 'renewRequest', value: { signingRequestDer } }),
    });
    this.#links = new LinkWatch(
      {
        ...deps,
        peers: () => this.#peers,
        onDownChanged: () => void this.#want(),
        onSummaries: () => this.#report(),
      },
      options,
    );
    this.#reconciler = new Reconciler(
      {
        overlay,
        clock,
        wanted: () => ({ overlay: this.#wanted(), tag: this.#table.tag }),
        onOutcome: (outcome) => this.#onOutcome(outcome),
        onWatched: () => {
          this.#underlayTouched = true;
        },
      },
      options,
    );
    this.#connection = new CoreConnection(
      {
        ...deps,
        credentials: () => identityStore.loadCredentials(),
        hello: async () => this.#hello(),
        listener: {
          onWelcome: (welcome) => this.#onWelcome(welcome),
          onPeerUpdate: (update) => this.#onPeerUpdate(update),
          onRouteDelta: (delta) => {
            if (this.#table.take(delta)) void this.#want();
          },
          onProbePlan: (plan) => this.#onProbePlan(plan),
          onCoreClock: (unixMs) => this.#onCoreClock(unixMs),
          onCertificate: (der) => void this.#certificate.accept(der),
        },
        onState: (state) => {
          this.#state = state;
        },
        onReconnect: (reason) => metrics.reconnected(reason),
      },
      { ...options, addresses: options.identity.coreAddresses },
    );
    this.#tasks = [
      this.#task(
        'sessions',
        () => (this.#links.searching ? STATUS_SEARCHING_MS : STATUS_IDLE_MS),
        () => this.#readSessions(),
      ),
      this.#task(
        'demand',
        () => this.#demandIntervalMs,
        () => this.#reportDemand(),
      ),
      this.#task(
        'lag',
        () => LAG_TICK_MS,
        async () => this.#measureLag(),
      ),
    ];
    metrics.observe(() => this.#snapshot());
  }

  /** Rejects when the core refuses for good: `node_removed` (the data plane is then taken down) and the like. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * Checks the host, applies what is remembered, starts probing and looks for the core. Throws ThalwegError where the
   * host cannot carry the overlay; nothing is then left running.
   */
  async start(): Promise<void> {
    const { overlay, log } = this.#deps;
    try {
      this.#wireguardBackend = (await overlay.preflight(this.#identity.addressPlan)).wireguardBackend;
      await this.#certificate.load();
      await this.#remember();
      this.#situation = await readHostSituation(overlay);
      this.#situationReadAtMonoMs = this.#deps.clock.monoMs();
      this.#chooseEndpoints();
      await this.#firstApply();
      await this.#links.startProber(this.#own.tunnel, this.#ranges);
    } catch (cause) {
      await this.stop();
      throw cause;
    }
    this.#lagWantedAtMonoMs = this.#deps.clock.monoMs() + LAG_TICK_MS;
    for (const task of this.#tasks) task.start();
    log.info('agent started', {
      node: this.#identity.name,
      index: this.#identity.index,
      tunnelAddress: this.#own.tunnel,
      wireguard: this.#wireguardBackend,
      generation: String(this.#table.applied.generation),
      peers: this.#peers.size,
    });
    this.#ended = this.#connection.start().catch((cause: unknown) => this.#refusedForGood(cause));
    this.#ended.catch(() => {});
  }

  /** Says goodbye, stops probes and session; the kernel goes on forwarding. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#shutDown('stop');
    return this.#stopping;
  }

  /** Healthy while the kernel takes what is wanted: a core that is away does not make the node forward worse. */
  health(): HealthView {
    const error = this.#lastError;
    const down = this.#links.down.size;
    const { measured } = this.#links;
    return {
      ok: error === undefined,
      checks: {
        dataPlane: {
          ok: error === undefined,
          detail: error?.message ?? `generation ${this.#table.applied.generation}`,
        },
        session: { ok: this.#connection.established, detail: this.#state },
        links: { ok: down === 0, detail: `${down} of ${measured} down` },
      },
    };
  }

  // ---------------------------------------------------------------- the session

  #hello() {
    return {
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      software: SOFTWARE_VERSION,
      publicKey: publicKeyToBytes(this.#options.publicKey),
      ...hostFields(this.#situation, this.#options),
      tableGeneration: this.#table.applied.generation,
      tableChecksum: this.#table.applied.checksum,
      clockUnixMs: BigInt(Math.trunc(this.#deps.clock.nowMs())),
      instanceId: this.#deps.instanceId,
      stampPort: this.#options.stampPort,
      wireguardBackend: this.#wireguardBackend,
    };
  }

  #onWelcome(welcome: Welcome): void {
    const { reportIntervalMs, demandIntervalMs, probePlan } = welcome;
    this.#table.sessionBegan();
    this.#links.resetReports();
    if (reportIntervalMs > 0) this.#reportIntervalMs = Math.max(MIN_REPORT_INTERVAL_MS, reportIntervalMs);
    if (demandIntervalMs > 0) this.#demandIntervalMs = Math.max(MIN_DEMAND_INTERVAL_MS, demandIntervalMs);
    if (probePlan !== undefined) this.#onProbePlan(probePlan);
    void this.#adoptIdentity(welcome);
    this.#report();
  }

  #onPeerUpdate(update: PeerUpdate): void {
    const { log } = this.#deps;
    const refused = this.#peers.update(update);
    if (refused > 0) log.warn('the core named peers that cannot be used', { refused });
    log.info('peers changed', { peers: this.#peers.size });
    this.#chooseEndpoints();
    this.#links.aim(this.#ranges);
    void this.#want();
    this.#save();
  }

  #onProbePlan({ intervalMs, deadAfterMs }: ProbePlan): void {
    if (intervalMs < MIN_PROBE_INTERVAL_MS || deadAfterMs < intervalMs) return;
    this.#links.setProbeSettings({ intervalMs, deadAfterMs });
  }

  #onCoreClock(unixMs: number): void {
    this.#confirmedAtMonoMs = this.#deps.clock.monoMs();
    void this.#certificate.heardCore(unixMs);
    if (this.#confirmedAtMonoMs - this.#savedClockAtMonoMs >= SAVE_CLOCK_MS) this.#save();
  }

  /** The core may have moved this node to another index or plan (a store restored from a copy): follow it. */
  async #adoptIdentity({ index, addressPlan, name, nodeId }: Welcome): Promise<void> {
    const { identityStore, log } = this.#deps;
    const checked = checkedPlan(addressPlan, index);
    const parsedName = parseNodeName(name);
    if (!checked.ok || !parsedName.ok || nodeId !== this.#identity.nodeId) {
      log.error('the core welcomed this node as somebody else; keeping what was', { index });
      return;
    }
    const before = this.#own;
    const { plan: checkedAddressPlan, index: checkedIndex } = checked.value;
    const next = { ...this.#identity, name: parsedName.value, index: checkedIndex, addressPlan: checkedAddressPlan };
    if (JSON.stringify(next) === JSON.stringify(this.#identity)) return;
    this.#identity = next;
    this.#own = ownAddresses(next);
    this.#ranges = rangesOf(next.addressPlan);
    await identityStore.save(next).catch((cause: unknown) => log.warn('identity not saved', { reason: String(cause) }));
    if (JSON.stringify(before) === JSON.stringify(this.#own)) return;
    log.warn('the core gave this node other addresses', { index: next.index, tunnelAddress: this.#own.tunnel });
    const peers = this.#peers.list();
    this.#peers = new PeerSet(next.index);
    for (const peer of peers) this.#peers.add(peer);
    await this.#want();
    await this.#links
      .startProber(this.#own.tunnel, this.#ranges)
      .catch((cause: unknown) => log.error('probing cannot start', { reason: String(cause) }));
  }

  #report(): void {
    if (!this.#connection.established) return;
    const links = this.#links.takeReport(this.#reportIntervalMs);
    if (links.length > 0) this.#connection.send({ case: 'linkReport', value: { links } });
  }

  async #reportDemand(): Promise<void> {
    const indexByAddress = new Map<string, number>();
    for (const { index } of this.#peers.list()) {
      indexByAddress.set(this.#ranges.node4Address(index), index);
      indexByAddress.set(this.#ranges.node6Address(index), index);
    }
    const counters = await this.#deps.overlay.demandCounters();
    const demands = this.#demand
      .measure(counters, (address) => indexByAddress.get(address), this.#deps.clock.monoMs())
      .slice(0, MAX_DEMANDS_PER_REPORT)
      .map(({ peerIndex, bytesPerSecond }) => ({ peerIndex, bytesPerSecond: BigInt(bytesPerSecond) }));
    if (demands.length > 0) this.#connection.send({ case: 'demandReport', value: { demands } });
  }

  // ---------------------------------------------------------------- the kernel

  /** Something about the wanted state changed: compute the routes anew and apply. */
  #want(): Promise<unknown> {
    this.#fib = undefined;
    return this.#reconciler.request();
  }

  #wanted(): DesiredOverlay {
    const { listenPort, transit, stampPort } = this.#options;
    const peers = this.#peers.list();
    this.#fib ??= computeFib({
      ownIndex: this.#identity.index,
      ranges: this.#ranges,
      peerIndices: peers.map((p) => p.index),
      rows: this.#table.rows,
      transit,
      down: this.#links.down,
    });
    return {
      addresses: this.#own,
      ranges: this.#identity.addressPlan,
      listenPort,
      tunnelMtuBytes: tunnelMtuBytes(this.#situation),
      transit,
      stampPort,
      peers: peers.map((peer) => ({
        publicKey: peer.publicKey,
        allowedIps: allowedIpsOf(this.#ranges, peer.index),
        ...this.#links.endpointOf(peer.publicKey),
      })),
      routes: this.#fib.routes,
    };
  }

  #onOutcome({ tag, report, error, durationMs, foreignRepairs }: ReconcileOutcome<TableTag>): void {
    const { log, metrics } = this.#deps;
    const changes = report?.changes.length ?? 0;
    metrics.applied(error?.code ?? (changes > 0 ? 'changed' : 'unchanged'), durationMs, foreignRepairs);
    if (error !== undefined && this.#lastError?.message !== error.message) {
      log.error('the kernel does not take the wanted state', errorFields(error));
    } else if (error === undefined && this.#lastError !== undefined) {
      log.info('the kernel takes the wanted state again');
    }
    this.#lastError = error;
    if (foreignRepairs > 0) {
      log.warn('something else had changed kernel state of ours', {
        repaired: foreignRepairs,
        first: report?.changes[0],
      });
    } else if (changes > 0) {
      log.debug('applied', { changes, durationMs: Math.round(durationMs), generation: String(tag.generation) });
    }
    if (this.#table.outcome(tag, error)) this.#save();
  }

  /** A remembered table that this kernel does not take must not keep the agent from asking the core for another. */
  async #firstApply(): Promise<void> {
    let { error } = await this.#reconciler.start();
    if (error !== undefined && this.#table.table.size > 0) {
      this.#deps.log.warn('the remembered table cannot be applied; starting without it', errorFields(error));
      this.#table.clear();
      this.#fib = undefined;
      ({ error } = await this.#reconciler.request());
    }
    if (error !== undefined) throw error;
  }

  #chooseEndpoints(): boolean {
    return this.#links.chooseEndpoints(this.#identity.addressPlan, this.#situation.underlayAddresses);
  }

  async #readSessions(): Promise<void> {
    await this.#links.readSessions();
    const ageMs = this.#deps.clock.monoMs() - this.#situationReadAtMonoMs;
    if (this.#underlayTouched || ageMs >= UNDERLAY_REFRESH_MS) await this.#readSituation();
    if (this.#chooseEndpoints()) void this.#want();
  }

  async #readSituation(): Promise<void> {
    this.#underlayTouched = false;
    this.#situationReadAtMonoMs = this.#deps.clock.monoMs();
    const situation = await readHostSituation(this.#deps.overlay);
    if (sameSituation(situation, this.#situation)) return;
    this.#situation = situation;
    const { underlayAddresses, underlayMtuBytes } = situation;
    this.#deps.log.info('the underlay changed', { addresses: underlayAddresses.join(' '), mtuBytes: underlayMtuBytes });
    this.#connection.send({ case: 'hostUpdate', value: hostFields(situation, this.#options) });
    void this.#want();
  }

  // ---------------------------------------------------------------- life

  async #remember(): Promise<void> {
    const { clock, log } = this.#deps;
    const remembered = await this.#store.load();
    if (remembered === undefined) return;
    this.#table.remember(remembered.table);
    for (const peer of remembered.peers) this.#peers.add(peer);
    const ageMs = Math.max(0, clock.nowMs() - remembered.savedAtUnixMs);
    this.#confirmedAtMonoMs = clock.monoMs() - ageMs;
    const behindMs = remembered.coreClockUnixMs - clock.nowMs();
    if (behindMs > 0) {
      log.warn("this device's clock is behind the time last heard from the core", {
        behindS: Math.round(behindMs / 1000),
      });
    }
    log.info('remembered table', {
      generation: String(this.#table.tag.generation),
      rows: this.#table.table.size,
      peers: this.#peers.size,
      ageS: Math.round(ageMs / 1000),
    });
  }

  #save(): void {
    const { clock } = this.#deps;
    this.#savedClockAtMonoMs = clock.monoMs();
    this.#store.save({
      table: this.#table.table,
      peers: this.#peers.list(),
      savedAtUnixMs: Math.max(0, Math.trunc(clock.nowMs())),
      coreClockUnixMs: Math.max(0, Math.trunc(this.#certificate.coreNowUnixMs() ?? 0)),
    });
  }

  async #refusedForGood(cause: unknown): Promise<never> {
    const { log, overlay } = this.#deps;
    const error = cause instanceof ThalwegError ? cause : new ThalwegError('internal', String(cause), { cause });
    log.error('the core refuses this node', errorFields(error));
    this.#stopping ??= this.#shutDown('leave');
    await this.#stopping;
    if (error.code === 'node_removed') {
      await overlay
        .remove()
        .catch((reason: unknown) => log.error('the data plane cannot be taken down', { reason: String(reason) }));
    }
    throw error;
  }

  async #shutDown(reason: 'stop' | 'leave'): Promise<void> {
    for (const task of this.#tasks) task.stop();
    await Promise.all([this.#connection.stop(reason), this.#links.stop(), this.#reconciler.stop()]);
    await this.#store.flush();
    this.#deps.log.info('agent stopped');
  }

  #task(name: string, delayMs: () => number, work: () => Promise<void>): PeriodicTask {
    const { clock, log } = this.#deps;
    const onFailed = (cause: unknown): void =>
      log.warn('a periodic task failed', { task: name, reason: String(cause) });
    return new PeriodicTask({ clock, work, onFailed }, { delayMs });
  }

  /** Falls slowly, so that a scrape every 15 s still sees a peak. */
  #measureLag(): void {
    const monoMs = this.#deps.clock.monoMs();
    this.#lagMs = Math.max(monoMs - this.#lagWantedAtMonoMs, this.#lagMs * 0.9, 0);
    this.#lagWantedAtMonoMs = monoMs + LAG_TICK_MS;
  }

  #snapshot(): AgentSnapshot {
    const { clock } = this.#deps;
    const coreNow = this.#certificate.coreNowUnixMs();
    return {
      peers: this.#links.snapshot(),
      tableGeneration: this.#table.applied.generation,
      tableRows: this.#table.table.size,
      tableAgeS: this.#confirmedAtMonoMs === undefined ? null : (clock.monoMs() - this.#confirmedAtMonoMs) / 1000,
      repairedRows: this.#fib?.repairedRows ?? 0,
      sessionState: this.#state,
      eventLoopLagMs: this.#lagMs,
      proberLagMs: this.#links.proberLagMs,
      coreClockSkewMs: coreNow === undefined ? null : coreNow - clock.nowMs(),
    };
  }
}

function errorFields(error: ThalwegError) {
  return { code: error.code, reason: error.message, nextStep: error.nextStep };
}
