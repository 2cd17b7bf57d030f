/**
 * What this node lets in: takes the core's updates, gives the kernel's side of it, and tells the core what the kernel
 * enforces and what it has denied. Without a core the last word of it stays in force.
 */
import type { Overlay, OverlayPolicy, PolicySenders, TrafficCount } from '../overlay/overlay-state.ts';
import type { AddressRanges } from '../protocol/address-plan.ts';
import type { ThalwegError } from '../protocol/error.ts';
import type { AgentBody } from '../protocol/frame-codec.ts';
import type { NodeIndex } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import {
  applyPolicyUpdate,
  NO_POLICY,
  type NodePolicyState,
  type PolicyUpdate,
  policyChecksum,
} from '../protocol/node-policy.ts';
import type { PolicyStore } from './policy-store.ts';

export interface PolicyKeeperDeps {
  readonly log: Logger;
  readonly store: Pick<PolicyStore, 'load' | 'save' | 'flush'>;
  readonly overlay: Pick<Overlay, 'deniedTraffic'>;
  readonly send: (body: AgentBody) => void;
  /** The kernel is to hold something else than before. */
  readonly onChanged: () => void;
}

export interface PolicySnapshot {
  readonly generation: bigint;
  readonly active: boolean;
  readonly rules: number;
  readonly denied: TrafficCount;
}

export class PolicyKeeper {
  readonly #deps: PolicyKeeperDeps;
  #state: NodePolicyState = NO_POLICY;
  /** What the kernel enforces; undefined before the first apply. */
  #applied: NodePolicyState | undefined;
  #ackOwed = false;
  /** Counts sessions: what one was owed is void in the next. */
  #session = 0;
  #overlay: { readonly of: NodePolicyState; readonly ranges: AddressRanges; readonly value: OverlayPolicy } | undefined;
  #senders = new Map<ReadonlySet<number>, PolicySenders>();
  #denied: TrafficCount = { packets: 0, bytes: 0 };
  #counter: TrafficCount = { packets: 0, bytes: 0 };
  #toldPackets = 0;

  constructor(deps: PolicyKeeperDeps) {
    this.#deps = deps;
  }

  /** The newest, applied or not: goes through an apply as its tag. */
  get state(): NodePolicyState {
    return this.#state;
  }

  get snapshot(): PolicySnapshot {
    const { generation, active, rules } = this.#applied ?? this.#state;
    return { generation, active, rules: rules.length, denied: this.#denied };
  }

  /** What the core is told when a session begins; a checksum that fits nothing while nobody knows what the kernel will hold. */
  get toldChecksum(): bigint {
    const checksum = policyChecksum(this.#state);
    return this.#applied === this.#state ? checksum : checksum ^ 1n;
  }

  /** Starts from what was remembered. Never throws. */
  async load(): Promise<void> {
    this.#state = await this.#deps.store.load();
    const { generation, active, rules } = this.#state;
    if (active) this.#deps.log.info('remembered policy', { generation: String(generation), rules: rules.length });
  }

  sessionBegan(): void {
    this.#session++;
    this.#ackOwed = false;
    this.#toldPackets = 0;
  }

  take(update: PolicyUpdate): void {
    const { log, onChanged } = this.#deps;
    const result = applyPolicyUpdate(this.#state, update);
    if (!result.ok) {
      log.warn('the policy does not fit the update; asking for all of it', { reason: result.reason });
      this.#tell(this.#state, 'table_mismatch', result.reason);
      return;
    }
    const before = this.#state;
    this.#state = result.value;
    this.#ackOwed = true;
    const { generation, active, rules } = this.#state;
    if (before.active !== active) {
      log.warn(
        active ? 'a policy is in force: what it does not allow is dropped' : 'no policy any more: everything is let in',
        {
          generation: String(generation),
        },
      );
    } else log.info('policy changed', { generation: String(generation), rules: rules.length });
    onChanged();
  }

  /** For the kernel; the same value as long as nothing changes. */
  wanted(ranges: AddressRanges): OverlayPolicy | null {
    if (!this.#state.active) return null;
    if (this.#overlay?.of !== this.#state || this.#overlay.ranges !== ranges) {
      if (this.#overlay?.ranges !== ranges) this.#senders = new Map();
      this.#overlay = { of: this.#state, ranges, value: this.#compile(ranges) };
    }
    return this.#overlay.value;
  }

  /** The kernel holds what `state` wants, or refused it. */
  outcome(state: NodePolicyState, error: ThalwegError | undefined): void {
    const { store } = this.#deps;
    if (error !== undefined) {
      if (this.#ackOwed) this.#tell(state, error.code, error.message.slice(0, 1000));
      return;
    }
    const isNew = this.#applied !== state;
    this.#applied = state;
    if (isNew && state.generation !== 0n) store.save(state);
    if (!this.#ackOwed) return;
    // a newer one may have come while this was applied: its own acknowledgement follows
    this.#ackOwed = state !== this.#state;
    const session = this.#session;
    void store.flush().then(() => {
      if (session === this.#session) this.#tell(state, '', '');
    });
  }

  /** Reads the kernel's counters, and tells the core where more was denied than it knows of. */
  async readDenied(): Promise<void> {
    if (this.#applied?.active !== true) return;
    const counter = await this.#deps.overlay.deniedTraffic();
    if (counter === null) return;
    // a counter that went back was made anew with the rules
    const isNew = counter.packets < this.#counter.packets;
    const base = isNew ? { packets: 0, bytes: 0 } : this.#counter;
    this.#counter = counter;
    this.#denied = {
      packets: this.#denied.packets + counter.packets - base.packets,
      bytes: this.#denied.bytes + Math.max(0, counter.bytes - base.bytes),
    };
    if (this.#denied.packets !== this.#toldPackets && this.#applied === this.#state) this.#tell(this.#applied, '', '');
  }

  #compile(ranges: AddressRanges): OverlayPolicy {
    const senders = new Map<ReadonlySet<number>, PolicySenders>();
    const rules = this.#state.rules.map(({ set: id, services }) => {
      if (id === null) return { senders: null, services };
      const members = this.#state.sets.get(id) ?? new Set<number>();
      const known = senders.get(members) ?? this.#senders.get(members) ?? addressed(id, members, ranges);
      senders.set(members, known);
      return { senders: known, services };
    });
    this.#senders = senders;
    return { rules };
  }

  #tell(state: NodePolicyState, error: string, message: string): void {
    this.#toldPackets = this.#denied.packets;
    this.#deps.send({
      case: 'policyStatus',
      value: {
        generation: state.generation,
        checksum: policyChecksum(state),
        error,
        message,
        deniedPackets: BigInt(this.#denied.packets),
        deniedBytes: BigInt(this.#denied.bytes),
      },
    });
  }
}

function addressed(id: bigint, members: ReadonlySet<number>, ranges: AddressRanges): PolicySenders {
  const node4 = new Set<string>();
  const node6 = new Set<string>();
  for (const index of members) {
    if (index > ranges.maxIndex) continue;
    node4.add(ranges.node4Address(index as NodeIndex));
    node6.add(ranges.node6Address(index as NodeIndex));
  }
  return { name: id.toString(16), node4, node6 };
}
