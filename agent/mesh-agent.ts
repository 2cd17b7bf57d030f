/**
 * The agent: holds what it knows (identity, peers, table, links) and lets its parts change the kernel and talk to the
 * core. Everything arrives as an event on the main thread, changes that state, and asks the reconciler for an apply.
 *
 *   core session --peers, deltas--> state --> reconciler --> kernel
 *   prober ------summaries-------> state --> link reports --> core session
 */
import type { Overlay } from '../overlay/overlay-state.ts';
import type { Prober } from '../overlay/stamp/prober.ts';
import type { HealthView } from '../protocol/api.ts';
import type { Clock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { MAX_DEMANDS_PER_REPORT } from '../protocol/frame-codec.ts';
import type { PeerUpdate, ProbePlan, Welcome } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { type PublicKey, publicKeyToBytes } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../protocol/version.ts';
import { agentHealth } from './agent-health.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type ConnectionState, CoreConnection } from './core-connection.ts';
import type { OpenCoreStream } from './core-stream.ts';
import { DataPlane, errorFields } from './data-plane.ts';
import { DemandMeter, indexByAddress } from './demand-meter.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { hostFields } from './host-situation.ts';
import type { Identity, IdentityStore } from './identity.ts';
import { LinkWatch } from './link-watch.ts';
import { PeerSet } from './mesh-peer.ts';
import type { AgentMetrics, AgentSnapshot } from './metrics.ts';
import { NodePlace } from './node-place.ts';
import { PeriodicTask } from './periodic-task.ts';
import type { ReconnectOptions } from './reconnect.ts';
import { TableKeeper } from './table-keeper.ts';
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
/** The core's time is worth a write this often. */
const SAVE_CLOCK_MS = 600_000;
/** Paces of the core's that would cost a device more than they tell are not followed. */
const MIN_REPORT_INTERVAL_MS = 200;
const MIN_DEMAND_INTERVAL_MS = 1000;
const MIN_PROBE_INTERVAL_MS = 10;

export class MeshAgent {
  readonly #deps: MeshAgentDeps;
  readonly #options: MeshAgentOptions;
  readonly #dataPlane: DataPlane;
  readonly #connection: CoreConnection;
  readonly #store: TableStore;
  readonly #links: LinkWatch;
  readonly #table: TableKeeper;
  readonly #certificate: CertificateKeeper;
  readonly #demand = new DemandMeter();
  readonly #tasks: readonly PeriodicTask[];
  readonly #place: NodePlace;
  #peers: PeerSet;
  #wireguardBackend = '';
  #state: ConnectionState = 'connecting';
  #confirmedAtMonoMs: number | undefined;
  #savedClockAtMonoMs = Number.NEGATIVE_INFINITY;
  #reportIntervalMs = 5000;
  #demandIntervalMs = 10_000;
  readonly #lag: EventLoopLag;
  #stopping: Promise<void> | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(deps: MeshAgentDeps, options: MeshAgentOptions) {
    const { clock, log, metrics, identityStore } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#place = new NodePlace(options.identity);
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
        onDownChanged: () => void this.#dataPlane.want(),
        onSummaries: () => this.#report(),
      },
      options,
    );
    this.#dataPlane = new DataPlane(
      {
        ...deps,
        place: this.#place,
        peers: () => this.#peers,
        links: this.#links,
        table: this.#table,
        onTableHeld: () => this.#save(),
        onSituation: (situation) =>
          this.#connection.send({ case: 'hostUpdate', value: hostFields(situation, options) }),
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
            if (this.#table.take(delta)) void this.#dataPlane.want();
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
    ];
    this.#lag = new EventLoopLag({ clock });
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
      this.#wireguardBackend = (await overlay.preflight(this.#place.identity.addressPlan)).wireguardBackend;
      await this.#certificate.load();
      await this.#remember();
      await this.#dataPlane.readSituation();
      this.#chooseEndpoints();
      await this.#dataPlane.start();
      await this.#links.startProber(this.#place.own.tunnel, this.#place.ranges);
    } catch (cause) {
      await this.stop();
      throw cause;
    }
    this.#lag.start();
    for (const task of this.#tasks) task.start();
    log.info('agent started', {
      node: this.#place.identity.name,
      index: this.#place.identity.index,
      tunnelAddress: this.#place.own.tunnel,
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

  health(): HealthView {
    return agentHealth({
      fault: this.#dataPlane.fault,
      generation: this.#table.applied.generation,
      session: this.#state,
      linksDown: this.#links.down.size,
      linksMeasured: this.#links.measured,
    });
  }

  // ---------------------------------------------------------------- the session

  #hello() {
    return {
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      software: SOFTWARE_VERSION,
      publicKey: publicKeyToBytes(this.#options.publicKey),
      ...hostFields(this.#dataPlane.situation, this.#options),
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
    this.#links.aim(this.#place.ranges);
    void this.#dataPlane.want();
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

  async #adoptIdentity(welcome: Welcome): Promise<void> {
    const { identityStore, log } = this.#deps;
    const adoption = this.#place.adopt(welcome);
    if (adoption === 'same') return;
    if (adoption === 'refused') {
      log.error('the core welcomed this node as somebody else; keeping what was', { index: welcome.index });
      return;
    }
    const { identity, own, ranges } = this.#place;
    if (adoption === 'moved') {
      const peers = this.#peers.list();
      this.#peers = new PeerSet(identity.index);
      for (const peer of peers) this.#peers.add(peer);
      log.warn('the core gave this node other addresses', { index: identity.index, tunnelAddress: own.tunnel });
    }
    await identityStore
      .save(identity)
      .catch((cause: unknown) => log.warn('identity not saved', { reason: String(cause) }));
    if (adoption !== 'moved') return;
    await this.#dataPlane.want();
    await this.#links
      .startProber(own.tunnel, ranges)
      .catch((cause: unknown) => log.error('probing cannot start', { reason: String(cause) }));
  }

  #report(): void {
    if (!this.#connection.established) return;
    const links = this.#links.takeReport(this.#reportIntervalMs);
    if (links.length > 0) this.#connection.send({ case: 'linkReport', value: { links } });
  }

  async #reportDemand(): Promise<void> {
    const counters = await this.#deps.overlay.demandCounters();
    const indexOf = indexByAddress(this.#peers.list(), this.#place.ranges);
    const demands = this.#demand
      .measure(counters, indexOf, this.#deps.clock.monoMs())
      .slice(0, MAX_DEMANDS_PER_REPORT)
      .map(({ peerIndex, bytesPerSecond }) => ({ peerIndex, bytesPerSecond: BigInt(bytesPerSecond) }));
    if (demands.length > 0) this.#connection.send({ case: 'demandReport', value: { demands } });
  }

  // ---------------------------------------------------------------- links

  #chooseEndpoints(): boolean {
    return this.#links.chooseEndpoints(this.#place.identity.addressPlan, this.#dataPlane.situation.underlayAddresses);
  }

  async #readSessions(): Promise<void> {
    await this.#links.readSessions();
    await this.#dataPlane.refreshSituation();
    if (this.#chooseEndpoints()) void this.#dataPlane.want();
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
    this.#lag.stop();
    for (const task of this.#tasks) task.stop();
    await Promise.all([this.#connection.stop(reason), this.#links.stop(), this.#dataPlane.stop()]);
    await this.#store.flush();
    this.#deps.log.info('agent stopped');
  }

  #task(name: string, delayMs: () => number, work: () => Promise<void>): PeriodicTask {
    const { clock, log } = this.#deps;
    const onFailed = (cause: unknown): void =>
      log.warn('a periodic task failed', { task: name, reason: String(cause) });
    return new PeriodicTask({ clock, work, onFailed }, { delayMs });
  }

  #snapshot(): AgentSnapshot {
    const { clock } = this.#deps;
    const coreNow = this.#certificate.coreNowUnixMs();
    return {
      peers: this.#links.snapshot(),
      tableGeneration: this.#table.applied.generation,
      tableRows: this.#table.table.size,
      tableAgeS: this.#confirmedAtMonoMs === undefined ? null : (clock.monoMs() - this.#confirmedAtMonoMs) / 1000,
      repairedRows: this.#dataPlane.repairedRows,
      sessionState: this.#state,
      eventLoopLagMs: this.#lag.recentMaxMs,
      proberLagMs: this.#links.proberLagMs,
      coreClockSkewMs: coreNow === undefined ? null : coreNow - clock.nowMs(),
    };
  }
}
