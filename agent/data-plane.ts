/** The kernel's side of the agent: what it should hold, as one value, and the loop that makes it so. */
import type { DesiredOverlay, Overlay } from '../overlay/overlay-state.ts';
import type { Clock } from '../protocol/clock.ts';
import type { ThalwegError } from '../protocol/error.ts';
import type { NodeIndex } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import type { NodePolicyState } from '../protocol/node-policy.ts';
import { allowedIpsOf, computeFib, type Fib } from './fib.ts';
import { type HostSituation, readHostSituation, sameSituation, tunnelMtuBytes } from './host-situation.ts';
import { addressesOf } from './identity.ts';
import type { LinkWatch } from './link-watch.ts';
import type { PeerSet } from './mesh-peer.ts';
import type { AgentMetrics } from './metrics.ts';
import type { NodePlace } from './node-place.ts';
import type { PolicyKeeper } from './policy-keeper.ts';
import { type ReconcileOutcome, Reconciler } from './reconciler.ts';
import type { TableKeeper, TableTag } from './table-keeper.ts';

/** What an apply was computed from. */
export interface AppliedTag {
  readonly table: TableTag;
  readonly policy: NodePolicyState;
}

export interface DataPlaneDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly overlay: Overlay;
  readonly metrics: AgentMetrics;
  readonly place: NodePlace;
  readonly peers: () => PeerSet;
  readonly links: Pick<LinkWatch, 'down' | 'endpointOf'>;
  readonly table: TableKeeper;
  readonly policy: Pick<PolicyKeeper, 'state' | 'wanted' | 'outcome'>;
  readonly onSituation: (situation: HostSituation) => void;
}

export interface DataPlaneOptions {
  readonly listenPort: number;
  readonly transit: boolean;
  readonly stampPort: number;
  readonly reconcileIntervalMs: number;
}

/** The underlay is read again at least this often: not every change of it is announced. */
const UNDERLAY_REFRESH_MS = 30_000;

export class DataPlane {
  readonly #deps: DataPlaneDeps;
  readonly #options: DataPlaneOptions;
  readonly #reconciler: Reconciler<AppliedTag>;
  #situation: HostSituation = { underlayAddresses: [], underlayMtuBytes: 1500 };
  #situationReadAtMonoMs = 0;
  #underlayTouched = false;
  #fib: Fib | undefined;
  #lastError: ThalwegError | undefined;

  constructor(deps: DataPlaneDeps, options: DataPlaneOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#reconciler = new Reconciler(
      {
        overlay: deps.overlay,
        clock: deps.clock,
        wanted: () => ({ overlay: this.#wanted(), tag: { table: deps.table.tag, policy: deps.policy.state } }),
        onOutcome: (outcome) => this.#onOutcome(outcome),
        onWatched: () => {
          this.#underlayTouched = true;
        },
      },
      options,
    );
  }

  get situation(): HostSituation {
    return this.#situation;
  }

  /** Why the kernel does not hold what is wanted; undefined when it does. */
  get fault(): ThalwegError | undefined {
    return this.#lastError;
  }

  get repairedRows(): number {
    return this.#fib?.repairedRows ?? 0;
  }

  /** Before `start`, so that the first apply has the right MTU. */
  async readSituation(): Promise<void> {
    this.#situationReadAtMonoMs = this.#deps.clock.monoMs();
    this.#underlayTouched = false;
    this.#situation = await readHostSituation(this.#deps.overlay);
  }

  /**
   * Applies what is wanted now. A remembered table that this kernel does not take must not keep the agent from asking
   * the core for another. Throws ThalwegError where the kernel takes nothing.
   */
  async start(): Promise<void> {
    const { log, table } = this.#deps;
    let { error } = await this.#reconciler.start();
    if (error !== undefined && table.table.size > 0) {
      log.warn('the remembered table cannot be applied; starting without it', errorFields(error));
      table.clear();
      ({ error } = await this.want());
    }
    if (error !== undefined) throw error;
  }

  /** Something about the wanted state changed: compute the routes anew and apply at once. */
  want(): Promise<ReconcileOutcome<AppliedTag>> {
    this.#fib = undefined;
    return this.#reconciler.request();
  }

  /** Neighbours failed or came back: next-hop objects first, which is quick however many routes there are, then the rest. */
  async repair(): Promise<void> {
    const { overlay, links, log, place } = this.#deps;
    const down = new Set([...links.down].map((index) => place.ranges.tunnelAddress(index as NodeIndex)));
    const repaired = overlay.repair(down).catch((cause: unknown) => {
      log.warn('the repair was refused; applying everything', { reason: String(cause) });
    });
    void this.want();
    await repaired;
  }

  /** Reads the underlay again where it may have changed. */
  async refreshSituation(): Promise<void> {
    const ageMs = this.#deps.clock.monoMs() - this.#situationReadAtMonoMs;
    if (!this.#underlayTouched && ageMs < UNDERLAY_REFRESH_MS) return;
    const before = this.#situation;
    await this.readSituation();
    if (sameSituation(before, this.#situation)) return;
    const { underlayAddresses, underlayMtuBytes } = this.#situation;
    this.#deps.log.info('the underlay changed', { addresses: underlayAddresses.join(' '), mtuBytes: underlayMtuBytes });
    this.#deps.onSituation(this.#situation);
    void this.want();
  }

  /** Nothing is applied afterwards; the kernel keeps what it holds. Idempotent. */
  stop(): Promise<void> {
    return this.#reconciler.stop();
  }

  #wanted(): DesiredOverlay {
    const { place, links, policy, table } = this.#deps;
    const { listenPort, transit, stampPort } = this.#options;
    const { identity, ranges, own } = place;
    const peers = this.#deps.peers().list();
    this.#fib ??= computeFib({
      ownIndex: identity.index,
      ranges,
      peerIndices: peers.map((peer) => peer.index),
      rows: table.rows,
      transit,
      home: transit && peers.some((peer) => peer.leaf),
      down: links.down,
    });
    const { routes } = this.#fib;
    const isLeaf = routes.some((route) =>
      route.nextHops.some((hop) => hop.kind === 'detour' && hop.plane === 'uplink'),
    );
    return {
      addresses: own,
      ranges: identity.addressPlan,
      listenPort,
      tunnelMtuBytes: tunnelMtuBytes(this.#situation),
      transit,
      uplink: isLeaf || (transit && peers.some((peer) => peer.leaf)),
      stampPort,
      peers: peers.flatMap((peer) => {
        const chosen = links.endpointOf(peer.publicKey);
        if (chosen === undefined) return [];
        return {
          publicKey: peer.publicKey,
          allowedIps: allowedIpsOf(ranges, peer.index),
          ...chosen,
          wrapsOnly: peer.transit ? null : addressesOf(ranges, peer.index),
        };
      }),
      routes,
      policy: policy.wanted(ranges),
    };
  }

  #onOutcome({ tag, report, error, durationMs, foreignRepairs }: ReconcileOutcome<AppliedTag>): void {
    const { log, metrics, policy, table } = this.#deps;
    const changes = report?.changes ?? [];
    metrics.applied(error?.code ?? (changes.length > 0 ? 'changed' : 'unchanged'), durationMs, foreignRepairs);
    if (error !== undefined && this.#lastError?.message !== error.message) {
      log.error('the kernel does not take the wanted state', errorFields(error));
    } else if (error === undefined && this.#lastError !== undefined) {
      log.info('the kernel takes the wanted state again');
    }
    this.#lastError = error;
    if (foreignRepairs > 0) {
      log.warn('something else had changed kernel state of ours', { repaired: foreignRepairs, first: changes[0] });
    } else if (changes.length > 0) {
      const generation = String(tag.table.generation);
      log.debug('applied', { changes: changes.length, durationMs: Math.round(durationMs), generation });
    }
    policy.outcome(tag.policy, error);
    table.outcome(tag.table, error);
  }
}

/** An error as log fields. */
export function errorFields(error: ThalwegError) {
  return { code: error.code, reason: error.message, nextStep: error.nextStep };
}
