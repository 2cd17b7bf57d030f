import { ThalwegError } from '../../protocol/error.ts';
import { routeDeltaToMessage } from '../../protocol/frame-codec.ts';
import type { Hello } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { policyUpdateToMessage } from '../../protocol/policy-message.ts';
import type { RouteDelta } from '../../protocol/route-table.ts';
import { SOFTWARE_VERSION } from '../../protocol/version.ts';
import type { NodeChange } from '../registry/node-registry.ts';
import type { Actor, NodeHost, NodeRecord } from '../store/store.ts';
import { DrainedNodes } from './drained-nodes.ts';
import { EndpointFilter } from './endpoint-candidates.ts';
import type { HubDeps, HubOptions } from './hub-options.ts';
import { checkVersion } from './join-service.ts';
import { letGo } from './leaving-session.ts';
import type { LiveNode } from './live-node.ts';
import { MeshPolicy } from './mesh-policy.ts';
import { foreignKey, NodeKeys } from './node-keys.ts';
import { NodeRenewal } from './node-renewal.ts';
import type { NodeSession, OpenBody, SessionOwner } from './node-session.ts';
import { PeerUpdates } from './peer-updates.ts';
import { isSameHost, isSamePeer, reportedHost } from './reported-host.ts';
import { SeenTimes } from './seen-times.ts';
import { accessLimits, linkObservations, type PeerInit, paceMessage, peerMessage } from './session-messages.ts';
import { SessionPlanning } from './session-planning.ts';
import { knowsNoLeaves, replaced } from './session-refusal.ts';

/** Two devices with one identity would throw each other out at this pace. */
const REPLACED_RETRY_MS = 30_000;

export class SessionHub implements SessionOwner {
  readonly #deps: HubDeps;
  readonly #options: HubOptions;
  readonly #filter: EndpointFilter;
  readonly #live = new Map<number, LiveNode>();
  /** Sessions of any state, so that `stop` closes them all. */
  readonly #all = new Set<NodeSession>();
  readonly #updates: PeerUpdates;
  readonly planning: SessionPlanning;
  readonly #seen: SeenTimes;
  readonly drained: DrainedNodes;
  readonly renewal: NodeRenewal;
  #isStarted = false;
  /** Of the newest session. */
  #epoch = 0n;
  readonly policy: MeshPolicy;
  readonly keys: NodeKeys;

  constructor(deps: HubDeps, options: HubOptions) {
    this.#deps = deps;
    this.#options = options;
    this.drained = new DrainedNodes(deps);
    this.renewal = new NodeRenewal(deps, options);
    this.policy = new MeshPolicy({
      ...deps,
      send: (index, update) =>
        this.#live.get(index)?.session.send({ case: 'policyUpdate', value: policyUpdateToMessage(update) }),
    });
    this.keys = new NodeKeys({ ...deps, onChanged: (node) => this.#keyChanged(node) });
    this.#filter = new EndpointFilter(deps.registry.ranges.plan);
    this.#seen = new SeenTimes(deps);
    this.#updates = new PeerUpdates({
      clock: deps.clock,
      peer: (index) => this.#peer(index),
      send: (index, value) => this.#live.get(index)?.session.send({ case: 'peerUpdate', value }),
    });
    // an engine that knows leaves says itself who holds sessions with whom
    const plansOwn = deps.loop.engine.sessionPeers !== undefined;
    const sessionPlan = plansOwn ? { ...options.sessionPlan, maxPeers: Number.POSITIVE_INFINITY } : options.sessionPlan;
    this.planning = new SessionPlanning(deps, sessionPlan, (opened, closed) => {
      for (const { low, high } of opened) this.#pairChanged(low, high, true);
      for (const { low, high } of closed) this.#pairChanged(low, high, false);
    });
  }

  /** Tells the engine of every node there is. Called once, after the engine's state was restored. `term`: rises with every solver. */
  start(term = 0): void {
    const { registry, loop } = this.#deps;
    this.#isStarted = true;
    this.#epoch = BigInt(term) << 32n;
    this.drained.reload();
    if (loop.engine.sessionPeers === undefined) this.planning.restore((index) => registry.byIndex(index) !== undefined);
    for (const node of registry.nodes()) this.#upsert(node);
    this.policy.load(registry.nodes());
  }

  /** Ends every session; agents reconnect by themselves. Idempotent. */
  async stop(): Promise<void> {
    // first: what it would make of all sessions ending at once is not to be saved
    const planned = this.planning.stop();
    for (const session of [...this.#all]) session.restart();
    this.#updates.stop();
    this.policy.push.stop();
    this.#seen.flush();
    await planned;
  }

  get sessions(): number {
    return this.#live.size;
  }

  live(index: number): LiveNode | undefined {
    return this.#live.get(index);
  }

  /** A connection that may become a session: from now on the hub ends it when the core stops. */
  opened(session: NodeSession): void {
    this.#all.add(session);
  }

  /** A node joined: steering and the API know it from now on; peers learn of it with its first Hello. */
  joined(node: NodeRecord): void {
    if (this.#isStarted) this.#upsert(node);
    this.policy.upserted(node);
  }

  /** Takes a node out of the mesh: its certificate is refused, its session ends, its key leaves every peer. */
  remove(node: NodeRecord, by: Actor): void {
    if (!this.#deps.registry.remove(node, by)) return;
    this.keys.forget(node);
    this.policy.removed(node.index);
    this.#gone(node);
  }

  /** Another core has changed these nodes: those that it removed lose their sessions here. */
  changedElsewhere(changes: readonly NodeChange[]): void {
    this.policy.changedElsewhere(changes);
    for (const { before, after } of changes) {
      if (before !== undefined && after === undefined) this.#gone(before);
      else if (!this.#isStarted) continue;
      else if (after !== undefined && (before === undefined || !isSamePeer(before, after))) this.#hostChanged(after);
    }
  }

  #gone(node: NodeRecord): void {
    if (!this.#isStarted) {
      this.#deps.onRemoved?.(node);
      return;
    }
    const peers = this.#peersOf(node.index);
    const error = new ThalwegError('node_removed', `node ${node.name} was removed from the mesh`, {
      nextStep: 'join the device again with a new token',
    });
    this.#live.get(node.index)?.session.refuse(error, 0);
    this.drained.forget(node);
    this.#deps.loop.event((engine, nowMs) => engine.removeNode(node.index, nowMs));
    this.planning.removeNode(node.index);
    for (const peer of peers) this.#updates.note(peer, node.index, false);
    this.#updates.hurry();
    this.#deps.log.info('node removed', { nodeId: node.id, name: node.name, index: node.index });
  }

  sendDelta(index: number, delta: RouteDelta): void {
    this.#live.get(index)?.session.send({ case: 'routeDelta', value: routeDeltaToMessage(delta) });
  }

  // ---- SessionOwner

  hello(session: NodeSession, hello: Hello): void {
    const { registry, loop } = this.#deps;
    const protocol = checkVersion(hello.protocolMin, hello.protocolMax);
    const node = this.#node(session);
    if (!this.keys.inUse(node, hello.publicKey)) throw foreignKey(node.name);
    const { stampPort, software, wireguardBackend, leafCapacity } = hello;
    if (leafCapacity === undefined && loop.engine.role !== undefined) throw knowsNoLeaves(node.name, software);
    const host = {
      ...reportedHost(this.#filter, session.options.remoteAddress, hello),
      stampPort,
      software,
      wireguardBackend,
    };
    const full = leafCapacity === undefined ? host : { ...host, leafCapacity };
    if (isSameHost(node.host, full)) {
      this.#welcome(session, hello, protocol);
      return;
    }
    this.#deps.commits
      .run(() => registry.setHost(this.#node(session), full))
      .then((changed) => {
        this.#hostChanged(changed);
        this.#welcome(session, hello, protocol);
      })
      .catch((cause: unknown) => session.fail(cause));
  }

  /** Opens the session of a node whose host is on the disk: what others are told of it must outlive the core. */
  #welcome(session: NodeSession, hello: Hello, protocol: number): void {
    if (session.isClosed) return;
    const { registry, clock, log, loop } = this.#deps;
    const node = this.#node(session);
    const before = this.#live.get(node.index)?.session;
    if (before !== undefined && session.epoch > 0n && before.epoch > session.epoch) {
      session.refuse(replaced(node.name), REPLACED_RETRY_MS);
      return;
    }
    before?.refuse(replaced(node.name), REPLACED_RETRY_MS);
    if (session.epoch === 0n) session.epoch = ++this.#epoch;
    registry.touch(node);
    this.planning.node(node.index, hello.transit, true);
    this.#live.set(node.index, {
      session,
      sinceMs: clock.nowMs(),
      clockSkewMs: Number(hello.clockUnixMs) - clock.nowMs(),
      turnsKey: hello.turnsKey,
    });
    session.open();
    session.send({
      case: 'welcome',
      value: {
        ...paceMessage(this.#options),
        protocol,
        nodeId: node.id,
        name: node.name,
        index: node.index,
        addressPlan: { ...registry.ranges.plan },
        clockUnixMs: BigInt(clock.nowMs()),
        coreVersion: SOFTWARE_VERSION,
      },
    });
    // an engine that knows leaves chooses a newcomer's peers with this
    loop.event((engine, nowMs) => {
      engine.nodeConnected(node.index, hello.tableGeneration, hello.tableChecksum, nowMs);
      engine.accessConfigured(node.index, accessLimits(hello), nowMs);
    });
    this.policy.push.opened(node.index, node.name, hello);
    this.#sendAllPeers(session, node.index);
    this.renewal.reported(session, hello.trust);
    log.info('session opened', {
      name: node.name,
      index: node.index,
      remote: session.options.remoteAddress,
      software: hello.software,
    });
  }

  frame(session: NodeSession, body: OpenBody): void {
    const { index } = session.options;
    const { loop } = this.#deps;
    switch (body.case) {
      case 'linkReport': {
        const links = linkObservations(
          body.value,
          (peer) => this.#isNode(index, peer) && this.planning.arePeers(index, peer),
        );
        this.planning.reported(index, links);
        loop.event((engine, nowMs) => engine.linksReported(index, links, nowMs));
        return;
      }
      case 'demandReport': {
        const demands = body.value.demands
          .filter((demand) => this.#isNode(index, demand.peerIndex))
          .map(({ peerIndex, bytesPerSecond }) => ({ peerIndex, bytesPerSecond: Number(bytesPerSecond) }));
        this.planning.demanded(index, demands);
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
      case 'policyStatus':
        this.policy.push.status(index, this.#node(session).name, body.value);
        return;
      case 'tableRequest':
        loop.event((engine, nowMs) => engine.tableRequested(index, nowMs));
        return;
      case 'renewRequest':
        this.renewal.renew(session, this.#node(session), body.value.signingRequestDer);
        return;
      case 'keyProposal':
        this.keys.proposed(session, this.#node(session), body.value.publicKey);
        return;
      case 'keyInUse':
        this.keys.confirm(session, this.#node(session), body.value.publicKey);
        return;
      case 'trustReport':
        this.renewal.reported(session, body.value);
        return;
      case 'hostUpdate': {
        const node = this.#node(session);
        if (node.host !== null)
          this.#setHost(node, {
            ...node.host,
            ...reportedHost(this.#filter, session.options.remoteAddress, body.value),
          });
        return;
      }
      case 'goodbye':
        if (body.value.reason === 'leave') {
          loop.event((engine, nowMs) => engine.nodeLeaving(index, nowMs));
          letGo(session, this.#deps);
        } else {
          session.end('goodbye');
        }
        return;
      default:
        body satisfies never;
    }
  }

  clockSkew(session: NodeSession, skewMs: number): void {
    const live = this.#live.get(session.options.index);
    if (live?.session === session) live.clockSkewMs = skewMs;
  }

  closed(session: NodeSession, reason: string): void {
    this.#all.delete(session);
    this.renewal.closed(session);
    const { index } = session.options;
    const { registry, loop, log } = this.#deps;
    const node = registry.byIndex(index);
    const isCurrent = this.#live.get(index)?.session === session;
    if (node?.id === session.options.nodeId) registry.touch(node);
    this.#seen.soon();
    if (isCurrent) {
      this.#live.delete(index);
      this.policy.push.closed(index);
      if (node?.host != null) this.planning.node(index, node.host.transit, false);
      loop.disconnected(index);
      loop.event((engine, nowMs) => engine.nodeDisconnected(index, nowMs));
    }
    log.info('session closed', { name: node?.name, index, reason });
  }

  /** The engine lets the node talk to others than before: agents hear of these alone. */
  sessionsChanged(index: number, peers: ReadonlyMap<number, boolean>): void {
    for (const [peer, isPeer] of peers) this.#updates.note(index, peer, isPeer);
  }

  // ---- inside

  /** The session's node as it is now; a node that was removed meanwhile has no session any more. */
  #node(session: NodeSession): NodeRecord {
    const node = this.#deps.registry.byId(session.options.nodeId);
    if (node !== undefined) return node;
    throw new ThalwegError('node_removed', `node ${session.options.nodeId} was removed from the mesh`);
  }

  #isNode(index: number, peerIndex: number): boolean {
    return peerIndex !== index && this.#deps.registry.byIndex(peerIndex) !== undefined;
  }

  #sendAllPeers(session: NodeSession, index: number): void {
    const set = this.#peersOf(index).flatMap((peer) => this.#peer(peer));
    session.send({ case: 'peerUpdate', value: { full: true, set, remove: [] } });
    this.#updates.told(index);
  }

  /** Nodes that the node holds sessions with. */
  #peersOf(index: number): number[] {
    const chosen = this.#deps.loop.engine.sessionPeers?.(index);
    return chosen === undefined ? this.planning.peersOf(index) : [...chosen].sort((a, b) => a - b);
  }

  #setHost(node: NodeRecord, host: NodeHost): void {
    if (isSameHost(node.host, host)) return;
    this.#hostChanged(this.#deps.registry.setHost(node, host));
  }

  #hostChanged(node: NodeRecord): void {
    this.#upsert(node);
    for (const peer of this.#peersOf(node.index)) this.#updates.note(peer, node.index, true);
  }

  /** Peers drop what the node sends until they know: it does not wait for others' news. */
  #keyChanged(node: NodeRecord): void {
    this.#hostChanged(node);
    this.#updates.hurry();
  }

  #upsert(node: NodeRecord): void {
    const { index, name, host } = node;
    const leafCapacity = host === null ? null : (host.leafCapacity ?? 0);
    if (host !== null) this.planning.node(index, host.transit, this.#live.has(index));
    this.#deps.loop.event((engine, nowMs) =>
      engine.upsertNode({ index, name, transit: host?.transit ?? false, leafCapacity }, nowMs),
    );
    this.drained.upserted(node);
  }

  #pairChanged(low: number, high: number, isPeer: boolean): void {
    this.#updates.note(low, high, isPeer);
    this.#updates.note(high, low, isPeer);
  }

  /** A node as agents are told of it; nothing when it is gone, or nobody knows how to reach it. */
  #peer(index: number): PeerInit[] {
    const { registry, loop } = this.#deps;
    const node = registry.byIndex(index);
    return node === undefined ? [] : peerMessage(node, loop.engine.role?.(index)?.kind === 'leaf');
  }
}
