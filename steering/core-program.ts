/** The steering core as a program: puts the parts together, opens the ports, and takes all of it down again. */
import type { AddressRanges } from '../protocol/address-plan.ts';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { Logger } from '../protocol/log.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import { advertisedAddresses } from './advertised-addresses.ts';
import { ApiServer } from './api/api-server.ts';
import { type CoreParts, CoreViews } from './api/core-views.ts';
import { RelayedSessions } from './cluster/relayed-sessions.ts';
import { SessionHolder } from './cluster/session-holder.ts';
import { SolverRole } from './cluster/solver-role.ts';
import { refreshing } from './cluster/store-refresh.ts';
import type { CoreConfig } from './core-config.ts';
import { collectCoreMetrics } from './core-metrics-collector.ts';
import { FleetSteeringEngine } from './fleet/fleet-steering-engine.ts';
import { ApiKeys } from './identity/api-keys.ts';
import { JoinTokens } from './identity/join-tokens.ts';
import { MeshAuthority } from './identity/mesh-authority.ts';
import { parseListenAddress } from './listen-address.ts';
import { CoreMetrics } from './metrics.ts';
import { settleAddressPlan } from './registry/address-plan-setting.ts';
import { NodeRegistry } from './registry/node-registry.ts';
import { ADMISSION_DEFAULTS, Admission } from './session/admission.ts';
import { AgentServer } from './session/agent-server.ts';
import { CaRotation } from './session/ca-rotation.ts';
import { JoinEndpoint } from './session/join-endpoint.ts';
import { JoinService } from './session/join-service.ts';
import { LOAD_LOOP_DEFAULTS, LoadLoop } from './session/load-loop.ts';
import { PlanThread } from './session/plan-thread.ts';
import { asThalwegError } from './session/refusal.ts';
import { SessionHub } from './session/session-hub.ts';
import { type SessionsChanged, SteeringLoop } from './session/steering-loop.ts';
import type { PlanMaking } from './session-plan/plan-request.ts';
import { OneStepSteeringEngine } from './steering-engine.ts';
import type { SteeringEngine } from './steering-engine-port.ts';
import { GroupCommit } from './store/group-commit.ts';
import type { LeaseState } from './store/nats/lease.ts';
import { NatsStore } from './store/nats/nats-store.ts';
import { checkAuthority, openStore } from './store/open-store.ts';
import { TrafficPlanner } from './traffic-engineering/traffic-planner.ts';

export { type CoreConfig, coreConfigSchema } from './core-config.ts';

const HOUR_MS = 3_600_000;

export interface CoreDeps {
  readonly log: Logger;
  /** Another steering engine than the real one, for tests. */
  readonly makeEngine?: () => SteeringEngine;
  /** Makes session plans elsewhere than in a thread of the build, for tests. */
  readonly plans?: PlanMaking;
  /** The program of the thread that speaks to NATS, where it is not the one of the build, for tests. */
  readonly natsWorker?: URL;
}

export interface RunningCore {
  /** Tells the agents to come back later, saves, closes everything. Idempotent; takes under 2 s. */
  stop(): Promise<void>;
  /** The ports that were bound, which matters when 0 was asked for; `api` is 0 without TCP. */
  readonly ports: { readonly agents: number; readonly api: number };
  /** Rejects when the core cannot go on: its store cannot be followed any more. */
  readonly ended: Promise<never>;
}

/** Starts a core. Throws ThalwegError when it cannot; then nothing is left open. */
export async function runCore(config: CoreConfig, deps: CoreDeps): Promise<RunningCore> {
  const { log } = deps;
  const clock = systemClock;
  const metrics = new CoreMetrics();
  const listening = parseListenAddress('listen', config.listen);
  const tcp = config.api === 'none' ? null : parseListenAddress('api', config.api);
  const onCommit = (durationMs: number) => metrics.storeSeconds.observe(durationMs / 1000);
  let lose: (error: ThalwegError) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    lose = reject;
  });
  ended.catch(() => {});
  let onLease: (state: LeaseState) => void = () => {};
  let onForeign: (nodeIds: readonly string[]) => void = () => {};
  const store = openStore(
    {
      monoMs: clock.monoMs,
      onCommit,
      onForeign: (nodeIds) => onForeign(nodeIds),
      onLease: (state) => onLease(state),
      onLost: (error) => lose(error),
    },
    config,
    deps.natsWorker,
  );
  try {
    const plan = { tunnel: config.tunnelRange, node4: config.node4Range, node6: config.node6Range };
    const ranges = settleAddressPlan(store, plan);
    const authority = MeshAuthority.open(config.stateDir, clock.nowMs());
    checkAuthority(store, authority.fingerprint, config.stateDir);
    const registry = new NodeRegistry({ store, clock }, { ranges });
    const commits = new GroupCommit({ clock, store, onUndone: () => registry.reload() });
    const send = (index: number, delta: RouteDelta) => hub.sendDelta(index, delta);
    const sessionsChanged: SessionsChanged = (index, peers) => hub.sessionsChanged(index, peers);
    const engine = deps.makeEngine?.() ?? makeEngine(config, ranges, clock);
    const lease = store instanceof NatsStore ? { lease: store } : {};
    const loop = new SteeringLoop({ engine, clock, store, log, metrics, send, sessionsChanged, ...lease });
    const certificateLifetimeMs = config.nodeCertificateHours * HOUR_MS;
    const { maxPeers: degree, explorePeers } = config.sessionPlan;
    const plans = deps.plans ?? new PlanThread({ degree, explorePeers });
    const hub = new SessionHub(
      {
        ...{ registry, authority, loop, clock, log, metrics, store, commits, plans },
        onRemoved: ({ id }) => holder?.removed(id),
      },
      { ...config, certificateLifetimeMs },
    );
    onForeign = (nodeIds) => {
      if (store instanceof NatsStore) hub.changedElsewhere(registry.refresh(nodeIds, (id) => store.nodeById(id)));
    };
    const agentAddresses = () => {
      if (config.advertise.length > 0) return config.advertise;
      return advertisedAddresses({ ...listening, port: agentServer.port }, ranges.plan);
    };
    const caFingerprint = () => authority.fingerprint;
    const tokens = new JoinTokens({ store, clock, addresses: agentAddresses, caFingerprint });
    const keys = new ApiKeys({ store, clock, log });
    const service = new JoinService({ tokens, authority, registry, clock, log }, { certificateLifetimeMs });
    const admission = new Admission(
      { clock, random: Math.random },
      { ...ADMISSION_DEFAULTS, maxConcurrent: config.maxConcurrentJoins },
    );
    const onJoined = hub.joined.bind(hub);
    const join = new JoinEndpoint({ service, admission, commits, authority, clock, log, metrics, onJoined });
    const certificateGraceMs = config.certificateGraceHours * HOUR_MS;
    const refresh = store instanceof NatsStore ? refreshing(store, { clock, log }) : undefined;
    const agentServer = new AgentServer(
      {
        ...{ authority, registry, hub, join, clock, log, metrics },
        held: () => role.held,
        owner: () => (holder === undefined || role.isSteering ? hub : holder),
        ...(refresh && { refresh }),
      },
      { listen: listening, heartbeatMs: config.heartbeatMs, certificateGraceMs },
    );
    const serverChanged = () => agentServer.identityChanged();
    const ca = new CaRotation(
      { authority, registry, hub, store, clock, log, serverChanged },
      { certificateLifetimeMs, certificateGraceMs, isShared: store instanceof NatsStore },
    );
    const parts: CoreParts = { store, authority, registry, hub, loop, agentServer, clock, agentAddresses };
    const views = new CoreViews(parts);
    const { loadAware: aware, loadIntervalMs: intervalMs } = config.steering;
    const planner = new TrafficPlanner();
    const load = new LoadLoop({ loop, clock, log, metrics, planner }, { ...LOAD_LOOP_DEFAULTS, aware, intervalMs });
    collectCoreMetrics(metrics, views, parts, () => load.view, { maxLinkNodes: config.maxLinkMetricNodes });
    const api = new ApiServer(
      {
        ...{ views, tokens, keys, hub, ca, engine: loop.engine, load, metrics, log, store, clock },
        refusal: (path, method) => role.refusal(path, method),
      },
      {
        tcp,
        tls: tlsFiles(config),
        keyless: config.apiKeyless,
        requestsPerMinute: config.apiRequestsPerMinute,
        socketPath: config.apiSocket,
      },
    );
    metrics.onCollect(() => {
      metrics.apiCertificateExpiry.set((api.certificateExpiresAtMs ?? 0) / 1000);
      metrics.apiKeyExpiry.set((keys.nextExpiryMs() ?? 0) / 1000);
    });

    const begin = (term: number) => {
      loop.restore();
      hub.start(term);
      loop.start();
      load.start();
      relayed?.start(term);
      holder?.handOver(hub);
    };
    const renewalSeen = () => holder?.renewalSeen();
    const failed = (error: unknown) => lose(asThalwegError(error));
    const role = new SolverRole({ store, clock, log, begin, renewalSeen, failed });
    const port = store instanceof NatsStore ? store.relay : undefined;
    const holder = port && new SessionHolder({ port, door: role.held, clock, log, metrics });
    const relayed =
      port && refresh && new RelayedSessions({ port, owner: hub, registry, refresh, clock, log, metrics });
    if (holder !== undefined && relayed !== undefined) {
      port?.join({
        solver: (core, term) => holder.solver(core, term),
        fromSolver: (packet) => holder.packet(packet),
        fromHolder: (core, packet) => relayed.packet(core, packet),
      });
      holder.start();
    }
    onLease = (state) => role.leaseChanged(state);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= (async () => {
        // Steering first: what it would make of all sessions ending at once is not to be saved.
        role.stop();
        holder?.stop();
        relayed?.stop();
        await load.stop();
        ca.stop();
        loop.stop();
        await Promise.all([agentServer.stop(), api.stop()]);
        commits.flush();
        store.close();
        log.info('core stopped');
      })();
      return stopping;
    };
    try {
      role.start();
      ca.start();
      await agentServer.start();
      await api.start();
    } catch (cause) {
      await stop();
      throw cause;
    }
    log.info('core started', { nodes: registry.size, stateDir: config.stateDir, caFingerprint: authority.fingerprint });
    return { stop, ended, ports: { agents: agentServer.port, api: api.port } };
  } catch (cause) {
    store.close();
    throw cause;
  }
}

/** Throws invalid_config when only one of the two files is named. */
function tlsFiles({ apiTlsCert: cert, apiTlsKey: key }: CoreConfig): { cert: string; key: string } | null {
  if (cert === '' && key === '') return null;
  if (cert !== '' && key !== '') return { cert, key };
  const [field, flag] = cert === '' ? ['apiTlsCert', '--api-tls-cert'] : ['apiTlsKey', '--api-tls-key'];
  throw new ThalwegError('invalid_config', `${field} is missing: TLS on the API needs a certificate and its key`, {
    fields: { field },
    nextStep: `pass ${flag} too`,
  });
}

function makeEngine({ engine, steering }: CoreConfig, ranges: AddressRanges, clock: Clock): SteeringEngine {
  const offsetMs = clock.nowMs() - clock.monoMs();
  const { marginUs, marginRatio, holdMs, fastHoldMs, recoverHoldMs, drainMs } = steering;
  const { transitHopUs, lossSlopeUs, jitterFactor, spfMinIntervalMs, warmUpMs } = steering;
  const deps = { toUnixMs: (monoMs: number) => Math.round(monoMs + offsetMs), stopwatchMs: () => clock.monoMs() };
  const options = {
    cost: { transitHopUs, lossSlopeUs, jitterFactor },
    filter: { recoverHoldMs },
    incumbency: { marginUs, marginRatio, holdMs, fastHoldMs },
    rollout: { drainMs },
    spfMinIntervalMs,
    warmUpMs,
    firstGeneration: BigInt(Math.floor(clock.nowMs() / 1000)),
  };
  return engine === 'fleet' ? new FleetSteeringEngine(deps, ranges, options) : new OneStepSteeringEngine(deps, options);
}
