import type { HealthView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { PeerUpdate, Welcome } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { agentHealth } from './agent-health.ts';
import { AgentMemory } from './agent-memory.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type ConnectionState, CoreConnection } from './core-connection.ts';
import { CoreReports } from './core-reports.ts';
import { DataPlane, errorFields } from './data-plane.ts';
import { EndpointWatch } from './endpoint-watch.ts';
import { EventLoopLag } from './event-loop-lag.ts';
import { helloMessage } from './hello.ts';
import { hostFields } from './host-situation.ts';
import { KeyRotation } from './key-rotation.ts';
import { LinkWatch } from './link-watch.ts';
import type { MeshAgentDeps, MeshAgentOptions } from './mesh-agent-options.ts';
import { PeerSet } from './mesh-peer.ts';
import type { AgentSnapshot } from './metrics.ts';
import { NodePlace } from './node-place.ts';
import { PeriodicTask } from './periodic-task.ts';
import { PolicyKeeper } from './policy-keeper.ts';
import { PolicyStore } from './policy-store.ts';
import { TableKeeper } from './table-keeper.ts';
import { TableStore } from './table-store.ts';

/** Sessions are read this often while some peer has none, else the second: reading them costs a process. */
const [STATUS_SEARCHING_MS, STATUS_IDLE_MS] = [1000, 5000];
/** While there is load: a link that gets full is left within two or three seconds, and what it carried is to be known. */
const STATUS_LOADED_MS = 1000;
/** The core answers within 5 s; a session that is lost meanwhile ends the wait too. */
const LEAVE_LIMIT_MS = 8000;

export class MeshAgent {
  readonly #deps: MeshAgentDeps;
  readonly #options: MeshAgentOptions;
  readonly #dataPlane: DataPlane;
  readonly #connection: CoreConnection;
  readonly #memory: AgentMemory;
  readonly #reports: CoreReports;
  readonly #links: LinkWatch;
  readonly #table: TableKeeper;
  readonly #certificate: CertificateKeeper;
  readonly #policy: PolicyKeeper;
  readonly #tasks: readonly PeriodicTask[];
  readonly #keys: KeyRotation;
  readonly #place: NodePlace;
  #peers: PeerSet;
  #wireguardBackend = '';
  #state: ConnectionState = 'connecting';
  readonly #lag: EventLoopLag;
  readonly #endpoints: EndpointWatch;
  #stopping: Promise<void> | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(deps: MeshAgentDeps, options: MeshAgentOptions) {
    const { clock, log, metrics, identityStore } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#place = new NodePlace(options.identity);
    this.#peers = new PeerSet(options.identity.index);
    this.#table = new TableKeeper({
      log,
      send: (body) => this.#connection.send(body),
      onHeld: () => this.#memory.save(),
      remembered: () => this.#memory.flush(),
    });
    const onWriteFailed = (code: string): void => metrics.tableWriteFailed(code);
    const { stateDir } = identityStore;
    this.#policy = new PolicyKeeper({
      ...deps,
      store: new PolicyStore({ log, onWriteFailed }, { stateDir }),
      send: (body) => this.#connection.send(body),
      onChanged: () => void this.#dataPlane.want(),
    });
    this.#certificate = new CertificateKeeper({
      ...deps,
      sendRenewRequest: (signingRequestDer) =>
        this.#connection.send({ case: 'renewRequest', value: { signingRequestDer } }),
      sendTrustReport: (value) => this.#connection.send({ case: 'trustReport', value }),
    });
    this.#keys = new KeyRotation(
      {
        ...deps,
        send: (body) => this.#connection.send(body),
        apply: () => deps.overlay.takeKey(),
      },
      { publicKey: options.publicKey, lifetimeMs: options.keyLifetimeMs ?? 0 },
    );
    this.#memory = new AgentMemory({
      clock,
      log,
      store: new TableStore({ log, onWriteFailed }, { stateDir }),
      table: this.#table,
      peers: () => this.#peers,
      coreNowUnixMs: () => this.#certificate.coreNowUnixMs(),
    });
    this.#links = new LinkWatch(
      {
        ...deps,
        peers: () => this.#peers,
        table: this.#table,
        onDownChanged: () => void this.#dataPlane.repair(),
        onSummaries: () => this.#reports.reportLinks(),
      },
      { ...options, ownIndex: options.identity.index },
    );
    this.#reports = new CoreReports({
      ...deps,
      links: this.#links,
      place: this.#place,
      established: () => this.#connection.established,
      send: (body) => this.#connection.send(body),
    });
    this.#dataPlane = new DataPlane(
      {
        ...deps,
        place: this.#place,
        peers: () => this.#peers,
        links: this.#links,
        table: this.#table,
        policy: this.#policy,
        onSituation: (situation) =>
          this.#connection.send({ case: 'hostUpdate', value: hostFields(situation, options) }),
      },
      options,
    );
    this.#endpoints = new EndpointWatch({
      clock,
      choose: () =>
        this.#links.chooseEndpoints(this.#place.identity.addressPlan, this.#dataPlane.situation.underlayAddresses),
      chooseAgainMs: () => this.#links.chooseAgainMs,
      onChanged: () => void this.#dataPlane.want(),
    });
    this.#connection = new CoreConnection(
      {
        ...deps,
        credentials: () => identityStore.loadCredentials(),
        hello: () => this.#memory.flush().then(() => this.#hello()),
        listener: {
          onWelcome: (welcome) => this.#onWelcome(welcome),
          onPeerUpdate: (update) => this.#onPeerUpdate(update),
          onRouteDelta: (delta) => {
            if (!this.#table.take(delta)) return;
            void this.#dataPlane.want();
            this.#links.aim(this.#place.ranges);
          },
          onPolicyUpdate: (update) => this.#policy.take(update),
          onProbePlan: (plan) => this.#links.setProbePlan(plan),
          onCoreClock: (unixMs) => this.#onCoreClock(unixMs),
          onCertificate: (der) => void this.#certificate.accept(der),
          onTrust: (trust) => void this.#certificate.trust(trust),
          onKeyTurn: (turn) => this.#keys.turn(turn),
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
      this.#task('rates', () => STATUS_LOADED_MS, this.#links.readLoad.bind(this.#links)),
      this.#task(
        'demand',
        () => this.#reports.demandIntervalMs,
        () => this.#reports.reportDemand(),
      ),
      this.#task(
        'policy',
        () => this.#reports.demandIntervalMs,
        () => this.#policy.readDenied(),
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
      await this.#policy.load();
      for (const peer of await this.#memory.load()) this.#peers.add(peer);
      await this.#links.remember(this.#peers.list());
      await this.#dataPlane.readSituation();
      this.#endpoints.choose();
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
    this.#stopping ??= this.#shutDown();
    return this.#stopping;
  }

  /**
   * Goes on as ever until the core has moved other nodes' paths off this one, or has had its time; then stops. The
   * kernel still forwards afterwards: whoever called may take it down without a loss. Idempotent.
   */
  async leave(): Promise<void> {
    if (this.#stopping === undefined) {
      this.#deps.log.info('leaving: waiting until no path leads through this node');
      await this.#connection.leave(LEAVE_LIMIT_MS);
    }
    await this.stop();
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
    const facts = {
      publicKey: this.#keys.publicKey,
      situation: this.#dataPlane.situation,
      table: this.#table.told,
      clockUnixMs: this.#deps.clock.nowMs(),
      policy: { generation: this.#policy.state.generation, checksum: this.#policy.toldChecksum },
      instanceId: this.#deps.instanceId,
      wireguardBackend: this.#wireguardBackend,
      trust: this.#certificate.report,
    };
    return helloMessage(facts, this.#options);
  }

  #onWelcome(welcome: Welcome): void {
    this.#table.sessionBegan();
    this.#policy.sessionBegan();
    this.#keys.sessionBegan();
    if (welcome.probePlan !== undefined) this.#links.setProbePlan(welcome.probePlan);
    void this.#adoptIdentity(welcome);
    this.#reports.sessionBegan(welcome);
  }

  #onPeerUpdate(update: PeerUpdate): void {
    const { log } = this.#deps;
    const before = this.#peers.list();
    const refused = this.#peers.update(update);
    this.#links.keysChanged(before);
    if (refused > 0) log.warn('the core named peers that cannot be used', { refused });
    log.info('peers changed', { peers: this.#peers.size });
    this.#endpoints.choose();
    this.#links.aim(this.#place.ranges);
    void this.#dataPlane.want();
    this.#memory.save();
  }

  #onCoreClock(unixMs: number): void {
    void this.#certificate.heardCore(unixMs);
    this.#keys.heardCore();
    this.#memory.confirmed();
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

  // ---------------------------------------------------------------- links

  async #readSessions(): Promise<void> {
    await this.#links.readSessions();
    this.#links.aim(this.#place.ranges);
    await this.#dataPlane.refreshSituation();
    if (this.#endpoints.choose()) void this.#dataPlane.want();
  }

  // ---------------------------------------------------------------- life

  async #refusedForGood(cause: unknown): Promise<never> {
    const { log, overlay } = this.#deps;
    const error = cause instanceof ThalwegError ? cause : new ThalwegError('internal', String(cause), { cause });
    log.error('the core refuses this node', errorFields(error));
    this.#stopping ??= this.#shutDown();
    await this.#stopping;
    if (error.code === 'node_removed') {
      await overlay
        .remove()
        .catch((reason: unknown) => log.error('the data plane cannot be taken down', { reason: String(reason) }));
    }
    throw error;
  }

  async #shutDown(): Promise<void> {
    this.#lag.stop();
    this.#reports.stop();
    for (const task of this.#tasks) task.stop();
    this.#endpoints.stop();
    await Promise.all([this.#connection.stop(), this.#keys.stop(), this.#links.stop(), this.#dataPlane.stop()]);
    await this.#memory.flush();
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
      tableAgeS: this.#memory.tableAgeS,
      repairedRows: this.#dataPlane.repairedRows,
      policy: this.#policy.snapshot,
      sessionState: this.#state,
      eventLoopLagMs: this.#lag.recentMaxMs,
      proberLagMs: this.#links.proberLagMs,
      coreClockSkewMs: coreNow === undefined ? null : coreNow - clock.nowMs(),
    };
  }
}
