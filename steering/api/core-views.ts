/** What the HTTP API and the metrics say about the core, put together from its parts. Reads only. */
import type { DemandView, HealthView, LinkView, NodeView, PathView, StatusView } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { SOFTWARE_VERSION } from '../../protocol/version.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import { demandView } from '../load/demand-view.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { AgentServer } from '../session/agent-server.ts';
import { asThalwegError } from '../session/refusal.ts';
import type { SessionHub } from '../session/session-hub.ts';
import type { SteeringLoop } from '../session/steering-loop.ts';
import type { NodeRecord, Store } from '../store/store.ts';

export interface CoreParts {
  readonly store: Store;
  readonly authority: MeshAuthority;
  readonly registry: NodeRegistry;
  readonly hub: SessionHub;
  readonly loop: SteeringLoop;
  readonly agentServer: AgentServer;
  readonly clock: Clock;
  readonly agentAddresses: () => readonly string[];
}

/** Asking for health writes to the disk; a caller that asks without pause must not keep it busy. */
const HEALTH_KEPT_MS = 1000;
/** Counting the paths of 1,000 nodes takes tens of ms: callers that poll share one count. */
const COUNTS_KEPT_MS = 1000;

type CheckView = HealthView['checks'][string];

interface Counts {
  readonly links: StatusView['links'];
  readonly paths: StatusView['paths'];
}

export class CoreViews {
  readonly #parts: CoreParts;
  readonly #startedAtMs: number;
  #storeHealth: { readonly value: CheckView; readonly untilMonoMs: number } | undefined;
  #counts: { readonly value: Counts; readonly untilMonoMs: number } | undefined;

  constructor(parts: CoreParts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.nowMs();
  }

  nodes(): NodeView[] {
    return this.#parts.registry.nodes().map((node) => this.node(node));
  }

  node(node: NodeRecord): NodeView {
    const { registry, hub, loop } = this.#parts;
    const live = hub.live(node.index);
    const table = loop.engine.tableState(node.index);
    const role = loop.engine.role?.(node.index);
    const home = role?.kind === 'leaf' && role.home !== null ? registry.byIndex(role.home) : undefined;
    return {
      id: node.id,
      name: node.name,
      index: node.index,
      publicKey: node.publicKey,
      tunnelAddress: registry.ranges.tunnelAddress(node.index),
      node4: registry.ranges.node4Address(node.index),
      node6: registry.ranges.node6Address(node.index),
      labels: node.labels,
      transit: node.host?.transit ?? false,
      drained: hub.drained.has(node),
      home: home?.name ?? null,
      leaves: role?.kind === 'transit' ? role.leaves : null,
      leafCapacity: role?.kind === 'transit' ? role.leafCapacity : null,
      online: live !== undefined,
      joinedAtMs: node.joinedAtMs,
      sinceMs: live?.sinceMs ?? node.lastSeenAtMs,
      endpoints: node.host?.endpoints ?? [],
      software: node.host?.software ?? null,
      wireguardBackend: node.host?.wireguardBackend ?? null,
      tableGeneration: String(table?.acknowledged ?? 0n),
      wantedGeneration: String(table?.wanted ?? 0n),
      clockSkewMs: live?.clockSkewMs ?? null,
      policy: hub.policy.nodeView(node.index),
      certificateExpiresAtMs: node.certificateExpiresAtMs,
    };
  }

  /** By name or id. Throws not_found. */
  find(name: string): NodeRecord {
    const { registry } = this.#parts;
    const node = registry.byName(name) ?? registry.byId(name);
    if (node !== undefined) return node;
    throw new ThalwegError('not_found', `there is no node ${name.slice(0, 80)}`, {
      fields: { name: name.slice(0, 80) },
      nextStep: 'list the nodes with `thalweg node list`',
    });
  }

  links(): LinkView[] {
    return this.#parts.loop.engine.links();
  }

  /** The `limit` largest pairs, and all accesses. */
  demand(limit: number): DemandView {
    const { registry, loop, clock } = this.#parts;
    return demandView(loop.engine.traffic, registry.nodes(), limit, clock.monoMs());
  }

  paths(): PathView[] {
    return this.#parts.loop.engine.paths();
  }

  /** Online nodes whose acknowledged table is the newest the core has for them, and those that are behind. */
  convergence(): { readonly converged: number; readonly behind: number } {
    const { registry, hub, loop } = this.#parts;
    let converged = 0;
    for (const { index } of registry.nodes()) {
      const table = hub.live(index) === undefined ? undefined : loop.engine.tableState(index);
      if (table !== undefined && table.acknowledged === table.wanted) converged++;
    }
    return { converged, behind: hub.sessions - converged };
  }

  counts(): Counts {
    const nowMonoMs = this.#parts.clock.monoMs();
    if (this.#counts !== undefined && nowMonoMs < this.#counts.untilMonoMs) return this.#counts.value;
    const links = { up: 0, down: 0, unmeasured: 0 };
    for (const { health } of this.links()) links[health]++;
    const paths = { direct: 0, detour: 0, unreachable: 0 };
    for (const { kind } of this.paths()) paths[kind]++;
    this.#counts = { value: { links, paths }, untilMonoMs: nowMonoMs + COUNTS_KEPT_MS };
    return this.#counts.value;
  }

  status(): StatusView {
    const { registry, hub, loop, agentAddresses } = this.#parts;
    const nodes = registry.nodes();
    return {
      version: SOFTWARE_VERSION,
      startedAtMs: this.#startedAtMs,
      nodes: { total: nodes.length, online: hub.sessions, transit: nodes.filter((n) => n.host?.transit).length },
      ...this.counts(),
      generation: String(loop.engine.generation),
      converged: this.convergence().converged,
      addressPlan: { ...registry.ranges.plan },
      agentAddresses: agentAddresses(),
      policy: hub.policy.summary(),
    };
  }

  health(): HealthView {
    const { loop, agentServer } = this.#parts;
    const checks = {
      store: this.#askStore(),
      engine: loop.health(),
      ca: this.#caHealth(),
      agentPort: agentServer.isListening
        ? { ok: true, detail: `listening on port ${agentServer.port}` }
        : { ok: false, detail: 'not listening' },
    };
    return { ok: Object.values(checks).every(({ ok }) => ok), checks };
  }

  #askStore(): CheckView {
    const nowMonoMs = this.#parts.clock.monoMs();
    if (this.#storeHealth !== undefined && nowMonoMs < this.#storeHealth.untilMonoMs) return this.#storeHealth.value;
    this.#storeHealth = { value: this.#writeProbe(), untilMonoMs: nowMonoMs + HEALTH_KEPT_MS };
    return this.#storeHealth.value;
  }

  #writeProbe(): CheckView {
    try {
      this.#parts.store.probeWrite(this.#parts.clock.nowMs());
      return { ok: true, detail: 'writable' };
    } catch (cause) {
      return { ok: false, detail: asThalwegError(cause).message };
    }
  }

  #caHealth(): CheckView {
    const { validFrom, validTo } = this.#parts.authority.certificate;
    const nowMs = this.#parts.clock.nowMs();
    const ok = Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);
    return { ok, detail: ok ? `valid until ${validTo}` : `valid only from ${validFrom} to ${validTo}` };
  }
}
