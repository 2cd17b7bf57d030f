/**
 * Tells each agent what it is to let in, and knows what its kernel enforces. An agent is told when its session begins,
 * before it hears of a single peer, and then whenever its own part changes: of sets what changed in them.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import type { Hello, PolicyStatus } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import type { PolicyUpdate } from '../../protocol/node-policy.ts';
import type { EnforcementState } from '../../protocol/policy-api.ts';
import type { CompiledNode, PolicyBook } from '../policy/policy-book.ts';

export interface PolicyPushDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly book: PolicyBook;
  readonly send: (index: number, update: PolicyUpdate) => void;
}

export interface Enforcement {
  readonly state: EnforcementState;
  /** Generation of the policy that the node's kernel enforces. */
  readonly generation: bigint;
  /** Why the kernel refused. */
  readonly error: string | null;
  /** What the node denied since its agent started; of a node that went offline the last it said. */
  readonly deniedPackets: number;
  readonly deniedBytes: number;
}

/** Labels and joins come in bursts; one update carries them all. A change has a second to be in force everywhere. */
const DEBOUNCE_MS = 20;
/** Updates that one turn of the event loop makes: a change that touches everybody must not keep heartbeats waiting. */
const UPDATES_PER_TURN = 200;

interface Told {
  readonly knows: boolean;
  /** What was last sent, and what its kernel has said it enforces. */
  sent: { readonly generation: bigint; readonly checksum: bigint };
  enforced: { readonly generation: bigint; readonly checksum: bigint };
  error: string | null;
  /** The last update said everything: asked for again, it would be refused again. */
  wasFull: boolean;
  /** Version of each set as it was last sent. */
  versions: Map<bigint, number>;
}

export class PolicyPush {
  readonly #deps: PolicyPushDeps;
  readonly #told = new Map<number, Told>();
  readonly #pending = new Set<number>();
  readonly #denied = new Map<number, { readonly packets: number; readonly bytes: number }>();
  #timer: Timer | undefined;

  constructor(deps: PolicyPushDeps) {
    this.#deps = deps;
  }

  /** These nodes' own parts are others than before. */
  changed(indexes: Iterable<number>): void {
    for (const index of indexes) if (this.#told.has(index)) this.#pending.add(index);
    if (this.#pending.size > 0) this.#timer ??= this.#deps.clock.after(DEBOUNCE_MS, () => this.#flush());
  }

  /** A session began. Sends what the agent does not enforce yet, so that its kernel has it before any peer. */
  opened(index: number, name: string, hello: Pick<Hello, 'policyChecksum' | 'policyGeneration'>): void {
    const { book, log } = this.#deps;
    const { policyChecksum: checksum, policyGeneration: generation } = hello;
    const compiled = book.compile(index);
    const said = { generation, checksum: checksum ?? 0n };
    const told: Told = {
      knows: checksum !== undefined,
      sent: said,
      enforced: said,
      error: null,
      wasFull: false,
      versions: new Map(),
    };
    this.#told.set(index, told);
    this.#pending.delete(index);
    if (!told.knows) {
      if (compiled.active) log.warn('a node does not enforce the policy: its agent is too old', { name, index });
      return;
    }
    if (checksum !== compiled.checksum) this.#send(index, told, compiled, true);
    else for (const [id, version] of this.#versionsOf(compiled)) told.versions.set(id, version);
  }

  closed(index: number): void {
    this.#told.delete(index);
    this.#pending.delete(index);
  }

  /** The node is no more. */
  forget(index: number): void {
    this.closed(index);
    this.#denied.delete(index);
  }

  /** What an agent says of its kernel. */
  status(index: number, name: string, status: PolicyStatus): void {
    const told = this.#told.get(index);
    if (told === undefined) return;
    const { generation, checksum, error, message, deniedPackets, deniedBytes } = status;
    this.#denied.set(index, { packets: Number(deniedPackets), bytes: Number(deniedBytes) });
    if (error === '') {
      told.enforced = { generation, checksum };
      if (generation === told.sent.generation) told.error = null;
      return;
    }
    this.#deps.log.warn('policy refused', { name, index, error, message });
    if (error === 'table_mismatch' && !told.wasFull) this.#send(index, told, this.#deps.book.compile(index), true);
    else told.error = message;
  }

  /** Undefined: it is offline. */
  knowsPolicies(index: number): boolean | undefined {
    return this.#told.get(index)?.knows;
  }

  /** Null: there is no policy to enforce. */
  enforcement(index: number): Enforcement | null {
    const { book } = this.#deps;
    if (book.policy === null) return null;
    const told = this.#told.get(index);
    const { packets: deniedPackets, bytes: deniedBytes } = this.#denied.get(index) ?? { packets: 0, bytes: 0 };
    const [generation, error] = [told?.enforced.generation ?? 0n, told?.error ?? null];
    return { state: this.#state(index, told), generation, error, deniedPackets, deniedBytes };
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  #state(index: number, told: Told | undefined): EnforcementState {
    if (told === undefined) return 'offline';
    if (!told.knows) return 'too_old';
    if (told.error !== null) return 'refused';
    const isNewest = !this.#pending.has(index) && told.enforced.generation === told.sent.generation;
    return isNewest && told.enforced.checksum === told.sent.checksum ? 'enforced' : 'pending';
  }

  #flush(): void {
    const { book, clock } = this.#deps;
    let sent = 0;
    for (const index of this.#pending) {
      if (sent === UPDATES_PER_TURN) break;
      this.#pending.delete(index);
      const told = this.#told.get(index);
      if (told?.knows !== true) continue;
      this.#send(index, told, book.compile(index), false);
      sent++;
    }
    this.#timer = this.#pending.size > 0 ? clock.after(0, () => this.#flush()) : undefined;
  }

  #send(index: number, told: Told, compiled: CompiledNode, full: boolean): void {
    const { active, rules, checksum } = compiled;
    // what went to and fro within a burst is nothing new
    if (!full && checksum === told.sent.checksum) return;
    const versions = this.#versionsOf(compiled);
    const sets = [...versions.keys()].flatMap((id) => {
      const change = this.#deps.book.set(id)?.since(full ? undefined : told.versions.get(id));
      return change == null ? [] : [change];
    });
    const baseGeneration = told.sent.generation;
    const generation = baseGeneration + 1n;
    told.versions = versions;
    told.sent = { generation, checksum };
    told.error = null;
    told.wasFull = full;
    this.#deps.send(index, { generation, baseGeneration, full, active, rules, sets, checksum });
  }

  #versionsOf({ rules }: Pick<CompiledNode, 'rules'>): Map<bigint, number> {
    const { book } = this.#deps;
    return new Map(rules.flatMap(({ set }) => (set === null ? [] : [[set, book.set(set)?.version ?? 0]])));
  }
}
