/**
 * All sessions of the core: welcomes agents, keeps everybody's peers up to date, and carries what agents report into
 * the steering engine and what it answers back out.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { addressFromBytes, formatEndpoint, type HostPort } from '../../protocol/endpoint.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { routeDeltaToMessage } from '../../protocol/frame-codec.ts';
import type { Endpoint, Hello, HostUpdate } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { publicKeyFromBytes } from '../../protocol/identifier.ts';
import type { Logger } from '../../protocol/log.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import { SOFTWARE_VERSION } from '../../protocol/version.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import { parseSigningRequest } from '../identity/signing-request.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeHost, NodeRecord } from '../store/store.ts';
import type { AgentSession, OpenBody, SessionOwner } from './agent-session.ts';
import { EndpointFilter } from './endpoint-candidates.ts';
import { checkVersion } from './join-service.ts';
import { accessLimits, linkObservations, peerMessage } from './session-messages.ts';
import type { SteeringLoop } from './steering-loop.ts';

/** Joins and changes of hosts come in bursts; one update carries them all. */
const PEER_DEBOUNCE_MS = 50;
/** When nodes were last seen is for people: it may be this old after a kill. */
const SEEN_FLUSH_MS = 10_000;

/**
 * A node that leaves is kept waiting until nobody's packets meet it: one shortest-path run, one acknowledgement and one
 * drain time, which is less than 2 s. Where a node does not answer, or there is no other way, it goes after 5 s.
 */
const LEAVE_LIMIT_MS = 5000;
const LEAVE_POLL_MS = 50;

/** Two devices with one identity would throw each other out at this pace. */
const REPLACED_RETRY_MS = 30_000;

export interface HubOptions {
  readonly heartbeatMs: number;
  readonly probeIntervalMs: number;
  readonly deadAfterMs: number;
  readonly reportIntervalMs: number;
  readonly demandIntervalMs: number;
  readonly certificateLifetimeMs: number;
}

export interface HubDeps {
  readonly registry: NodeRegistry;
  readonly authority: CertificateAuthority;
  readonly loop: SteeringLoop;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
}

/** What is known of a node that is online. */
export interface LiveNode {
  readonly session: AgentSession;
  readonly sinceMs: number;
  clockSkewMs: number | null;
}

export class SessionHub implements SessionOwner {
  readonly #deps: HubDeps;
  readonly #options: HubOptions;
  readonly #filter: EndpointFilter;
  readonly #live = new Map<number, LiveNode>();
  /** Sessions of any state, so that `stop` closes them all. */
  readonly #all = new Set<AgentSession>();
  readonly #changedPeers = new Set<number>();
  /** Nodes that are told all their peers anew. */
  readonly #changedSessions = new Set<number>();
  #peerTimer: Timer | undefined;
  #seenTimer: Timer | undefined;

  constructor(deps: HubDeps, options: HubOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#filter = new EndpointFilter(deps.registry.ranges.plan);
  }

  /** Tells the engine of every node there is. Called once, after the engine's state was restored. */
  start(): void {
    for (const node of this.#deps.registry.nodes()) this.#upsert(node);
  }

  /** Ends every session; agents reconnect by themselves. Idempotent. */
  stop(): void {
    for (const session of [...this.#all]) session.restart();
    this.#peerTimer?.cancel();
    this.#seenTimer?.cancel();
    this.#flushSeen();
  }

  get sessions(): number {
    return this.#live.size;
  }

  live(index: number): LiveNode | undefined {
    return this.#live.get(index);
  }

  /** A connection that may become a session: from now on the hub ends it when the core stops. */
  opened(session: AgentSession): void {
    this.#all.add(session);
  }

  /** A node joined: steering and the API know it from now on; peers learn of it with its first Hello. */
  joined(node: NodeRecord): void {
    this.#upsert(node);
  }

  /** Takes a node out of the mesh: its certificate is refused, its session ends, its key leaves every peer. */
  remove(node: NodeRecord): void {
    if (!this.#deps.registry.remove(node)) return;
    const error = new ThalwegError('node_removed', `node ${node.name} was removed from the mesh`, {
      nextStep: 'join the device again with a new token',
    });
    this.#live.get(node.index)?.session.refuse(error, 0);
    this.#deps.loop.event((engine, nowMs) => engine.removeNode(node.index, nowMs));
    this.#peerChanged(node.index);
    this.#deps.log.info('node removed', { nodeId: node.id, name: node.name, index: node.index });
  }

  sendDelta(index: number, delta: RouteDelta): void {
    this.#live.get(index)?.session.send({ case: 'routeDelta', value: routeDeltaToMessage(delta) });
  }

  // ---- SessionOwner

  hello(session: AgentSession, hello: Hello): void {
    const { registry, clock, log, loop } = this.#deps;
    const protocol = checkVersion(hello.protocolMin, hello.protocolMax);
    const node = this.#node(session);
    const key = publicKeyFromBytes(hello.publicKey);
    if (!key.ok || key.value !== node.publicKey) {
      throw new ThalwegError('certificate_invalid', `the WireGuard key is not the one ${node.name} joined with`, {
        nextStep: 'restore wireguard.key, or remove the node and join the device again',
      });
    }
    this.#live.get(node.index)?.session.refuse(replaced(node.name), REPLACED_RETRY_MS);
    const { stampPort, software, wireguardBackend, leafCapacity } = hello;
    if (leafCapacity === undefined && loop.engine.role !== undefined) throw knowsNoLeaves(node.name, software);
    const host = { ...this.#host(session, hello), stampPort, software, wireguardBackend };
    this.#setHost(node, leafCapacity === undefined ? host : { ...host, leafCapacity });
    registry.touch(registry.byIndex(node.index) ?? node);
    this.#live.set(node.index, {
      session,
      sinceMs: clock.nowMs(),
      clockSkewMs: Number(hello.clockUnixMs) - clock.nowMs(),
    });
    session.open();
    session.send({
      case: 'welcome',
      value: {
        protocol,
        nodeId: node.id,
        name: node.name,
        index: node.index,
        addressPlan: { ...registry.ranges.plan },
        heartbeatMs: this.#options.heartbeatMs,
        clockUnixMs: BigInt(clock.nowMs()),
        coreVersion: SOFTWARE_VERSION,
        probePlan: { intervalMs: this.#options.probeIntervalMs, deadAfterMs: this.#options.deadAfterMs },
        reportIntervalMs: this.#options.reportIntervalMs,
        demandIntervalMs: this.#options.demandIntervalMs,
      },
    });
    const { tableGeneration, tableChecksum } = hello;
    // an engine that knows leaves chooses a newcomer's peers with this
    loop.event((engine, nowMs) => {
      engine.nodeConnected(node.index, tableGeneration, tableChecksum, nowMs);
      engine.accessConfigured(node.index, accessLimits(hello), nowMs);
    });
    this.#sendAllPeers(session, node.index);
    log.info('session opened', { name: node.name, index: node.index, remote: session.options.remoteAddress, software });
  }

  frame(session: AgentSession, body: OpenBody): void {
    const { index } = session.options;
    const { loop } = this.#deps;
    switch (body.case) {
      case 'linkReport': {
        const links = linkObservations(body.value, (peer) => this.#isPeer(index, peer));
        loop.event((engine, nowMs) => engine.linksReported(index, links, nowMs));
        return;
      }
      case 'demandReport': {
        const demands = body.value.demands
          .filter((demand) => this.#isPeer(index, demand.peerIndex))
          .map(({ peerIndex, bytesPerSecond }) => ({ peerIndex, bytesPerSecond: Number(bytesPerSecond) }));
        loop.event((engine, nowMs) => engine.demandReported(index, demands, nowMs));
        return;
      }
      case 'tableAck': {
        const { generation, checksum, error, message } = body.value;
        if (error !== '') this.#deps.log.warn('table refused', { name: this.#node(session).name, error, message });
        else loop.acknowledged(index, generation);
        loop.event((engine, nowMs) =>
          engine.tableAcked(index, generation, checksum, error === '' ? null : error, nowMs),
        );
        return;
      }
      case 'tableRequest':
        loop.event((engine, nowMs) => engine.tableRequested(index, nowMs));
        return;
      case 'renewRequest':
        this.#renew(session, body.value.signingRequestDer);
        return;
      case 'hostUpdate': {
        const node = this.#node(session);
        if (node.host !== null) this.#setHost(node, { ...node.host, ...this.#host(session, body.value) });
        return;
      }
      case 'goodbye':
        if (body.value.reason === 'leave') {
          loop.event((engine, nowMs) => engine.nodeLeaving(index, nowMs));
          this.#letGo(session, this.#deps.clock.monoMs() + LEAVE_LIMIT_MS);
        } else {
          session.end('goodbye');
        }
        return;
      default:
        body satisfies never;
    }
  }

  clockSkew(session: AgentSession, skewMs: number): void {
    const live = this.#live.get(session.options.index);
    if (live?.session === session) live.clockSkewMs = skewMs;
  }

  closed(session: AgentSession, reason: string): void {
    this.#all.delete(session);
    const { index } = session.options;
    const { registry, loop, log } = this.#deps;
    const node = registry.byIndex(index);
    const isCurrent = this.#live.get(index)?.session === session;
    if (node?.id === session.options.nodeId) registry.touch(node);
    this.#seenSoon();
    if (isCurrent) {
      this.#live.delete(index);
      loop.disconnected(index);
      loop.event((engine, nowMs) => engine.nodeDisconnected(index, nowMs));
    }
    log.info('session closed', { name: node?.name, index, reason });
  }

  /** The engine lets the node talk to others than before. */
  sessionsChanged(index: number): void {
    this.#changedSessions.add(index);
    this.#peerTimer ??= this.#deps.clock.after(PEER_DEBOUNCE_MS, () => this.#sendPeers());
  }

  // ---- inside

  /** Ends the session of a node that leaves once its data plane may go; it acknowledges tables until then. */
  #letGo(session: AgentSession, deadlineMonoMs: number): void {
    const { clock, loop, log } = this.#deps;
    const { index } = session.options;
    if (!session.isOpen) return;
    const isTransit = loop.engine.isTransit(index, clock.monoMs());
    if (isTransit && clock.monoMs() < deadlineMonoMs) {
      clock.after(LEAVE_POLL_MS, () => this.#letGo(session, deadlineMonoMs));
      return;
    }
    if (isTransit) log.warn('a node leaves that paths may still lead through', { index });
    session.end('goodbye');
  }

  /** The session's node as it is now; a node that was removed meanwhile has no session any more. */
  #node(session: AgentSession): NodeRecord {
    const node = this.#deps.registry.byId(session.options.nodeId);
    if (node !== undefined) return node;
    throw new ThalwegError('node_removed', `node ${session.options.nodeId} was removed from the mesh`);
  }

  /** Every node where the engine knows no leaves. */
  #isPeer(index: number, peerIndex: number): boolean {
    return peerIndex !== index && this.#deps.registry.byIndex(peerIndex) !== undefined;
  }

  #sendAllPeers(session: AgentSession, index: number): void {
    const { registry, loop } = this.#deps;
    const peers = loop.engine.sessionPeers?.(index);
    const set = registry
      .nodes()
      .flatMap((peer) => (peer.index === index || peers?.has(peer.index) === false ? [] : this.#peerMessage(peer)));
    session.send({ case: 'peerUpdate', value: { full: true, set, remove: [] } });
  }

  #peerMessage(node: NodeRecord) {
    return peerMessage(node, this.#deps.loop.engine.role?.(node.index)?.kind === 'leaf');
  }

  #host(session: AgentSession, said: Hello | HostUpdate) {
    const { listenPort, underlayMtuBytes, transit } = said;
    const reported = said.endpoints.flatMap(hostPort);
    const endpoints = this.#filter.candidates(reported, session.options.remoteAddress, listenPort).map(formatEndpoint);
    return { endpoints, listenPort, underlayMtuBytes, transit };
  }

  #setHost(node: NodeRecord, host: NodeHost): void {
    if (node.host !== null && JSON.stringify(sorted(node.host)) === JSON.stringify(sorted(host))) return;
    const changed = this.#deps.registry.setHost(node, host);
    this.#upsert(changed);
    this.#peerChanged(node.index);
  }

  #upsert(node: NodeRecord): void {
    const { index, name, host } = node;
    const leafCapacity = host === null ? null : (host.leafCapacity ?? 0);
    this.#deps.loop.event((engine, nowMs) =>
      engine.upsertNode({ index, name, transit: host?.transit ?? false, leafCapacity }, nowMs),
    );
  }

  #renew(session: AgentSession, signingRequestDer: Uint8Array): void {
    const { authority, clock, registry, log } = this.#deps;
    const signing = parseSigningRequest(signingRequestDer);
    if (!signing.ok) throw new ThalwegError('invalid_argument', signing.reason);
    const node = this.#node(session);
    const lifetimeMs = this.#options.certificateLifetimeMs;
    const issued = authority.issueNodeCertificate(node.id, signing.value.publicKey, clock.nowMs(), lifetimeMs);
    registry.setCertificate(node, issued, session.options.serial, false);
    session.send({ case: 'renewResponse', value: { certificateDer: issued.der } });
    log.info('certificate renewed', { name: node.name, serial: issued.serial });
  }

  #peerChanged(index: number): void {
    this.#changedPeers.add(index);
    this.#peerTimer ??= this.#deps.clock.after(PEER_DEBOUNCE_MS, () => this.#sendPeers());
  }

  #sendPeers(): void {
    this.#peerTimer = undefined;
    const changed = [...this.#changedPeers].sort((a, b) => a - b);
    this.#changedPeers.clear();
    const set = changed.flatMap((index) => {
      const node = this.#deps.registry.byIndex(index);
      return node === undefined ? [] : this.#peerMessage(node);
    });
    const remove = changed.filter((index) => this.#deps.registry.byIndex(index) === undefined);
    const toldAll = new Set(this.#changedSessions);
    this.#changedSessions.clear();
    for (const [index, { session }] of this.#live) {
      if (toldAll.has(index)) {
        this.#sendAllPeers(session, index);
        continue;
      }
      const peers = this.#deps.loop.engine.sessionPeers?.(index);
      const others = set.filter((peer) => peer.index !== index && peers?.has(peer.index ?? 0) !== false);
      if (others.length + remove.length === 0) continue;
      session.send({ case: 'peerUpdate', value: { full: false, set: others, remove } });
    }
  }

  #seenSoon(): void {
    this.#seenTimer ??= this.#deps.clock.after(SEEN_FLUSH_MS, () => this.#flushSeen());
  }

  #flushSeen(): void {
    this.#seenTimer = undefined;
    try {
      this.#deps.registry.flushLastSeen();
    } catch (cause) {
      this.#deps.log.warn('last-seen times not saved', { error: cause instanceof Error ? cause.message : '' });
    }
  }
}

function hostPort({ address, port }: Endpoint): HostPort[] {
  const text = addressFromBytes(address);
  return text.ok ? [{ address: text.value, port }] : [];
}

function sorted(host: NodeHost): [string, unknown][] {
  return Object.entries(host).sort(([a], [b]) => (a < b ? -1 : 1));
}

function knowsNoLeaves(name: string, software: string): ThalwegError {
  return new ThalwegError(
    'protocol_version',
    `the agent of ${name} (${software}) knows no leaves, and this mesh has them`,
    {
      nextStep: 'upgrade the agent, or run the core with --engine mesh',
    },
  );
}

function replaced(name: string): ThalwegError {
  return new ThalwegError('replaced', `node ${name} has opened a newer session`, {
    nextStep: 'if two devices run with the same identity, stop one and let it join by itself',
  });
}
