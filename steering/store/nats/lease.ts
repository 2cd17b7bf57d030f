/**
 * One core at a time steers. The lease is a message at the end of a stream: its holder appends a renewal after its own last
 * one, and whoever sees no renewal for a while appends a claim. Both on the condition that nothing is there in
 * between, so of several claims one is taken, and a holder that was replaced learns it from its next renewal. No clock is compared
 * with another's: each core measures how long it has seen the same message.
 *
 *   standby --claim taken--> holding --no answer for a while--> holding, but not to act --renewed--> holding
 *                               \------- somebody else's claim is there ---------> lost: the core ends
 *
 * The sequence number of a claim is its epoch: it rises with every holder.
 */
import type { StoredMsg } from '@nats-io/jetstream';
import { z } from 'zod';
import type { Clock, Timer } from '../../../protocol/clock.ts';
import type { ChainStream } from './chain-stream.ts';

const RENEW_MS = 250;
const LOOK_MS = 150;
/** Without a renewal for this long the holder does nothing that others would see, whatever it can reach itself. */
export const LEASE_HOLD_MS = 1000;
/** Without a renewal for this long somebody else may claim: after the holder has noticed, with room for a late timer. */
export const LEASE_CLAIM_MS = 1350;

const claimSchema = z.object({ holder: z.string().max(64), released: z.boolean() });

export interface LeaseState {
  /** Whether this core may act as the one that steers, now. */
  readonly isHeld: boolean;
  /** The id of whoever holds it, as far as is known; null: nobody. */
  readonly holder: string | null;
  /** Of the holder's claim. */
  readonly epoch: number;
}

export interface LeaseDeps {
  readonly chain: ChainStream;
  readonly clock: Clock;
  /** Told of each change, and by a core that stands by of each renewal that it sees. */
  readonly tell: (state: LeaseState) => void;
  /** Another core holds what this one held. */
  readonly lost: () => void;
  /** False while the core's own thread does not answer: a core that hangs is not to keep the lease. */
  readonly isAlive: () => boolean;
}

export class Lease {
  readonly #deps: LeaseDeps;
  readonly #id: string;
  readonly #subject: string;
  /** Place of the last message seen, and since when it has been the last. */
  #last = 0;
  #sinceMonoMs = 0;
  /** Of the own claim; undefined: somebody else's, or nobody's. */
  #epoch: number | undefined;
  #state: LeaseState = { isHeld: false, holder: null, epoch: 0 };
  #timer: Timer | undefined;
  #holdTimer: Timer | undefined;
  #isOver = false;
  #heldUntilMonoMs = Number.NEGATIVE_INFINITY;

  constructor(deps: LeaseDeps, options: { id: string; subject: string }) {
    this.#deps = deps;
    this.#id = options.id;
    this.#subject = options.subject;
  }

  /** The epoch of the own claim while it may be acted on, by the clock at this moment and not by a timer that may be late. */
  get heldEpoch(): number | undefined {
    return this.#isOver || this.#deps.clock.monoMs() >= this.#heldUntilMonoMs ? undefined : this.#epoch;
  }

  start(): void {
    this.#sinceMonoMs = this.#deps.clock.monoMs();
    void this.#turn();
  }

  /** Lets others have it at once. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#holdTimer?.cancel();
    if (this.#epoch !== undefined) await this.#append(true).catch(() => {});
  }

  async #turn(): Promise<void> {
    const { clock } = this.#deps;
    try {
      await (this.#epoch === undefined ? this.#stand() : this.#renew());
    } catch {
      // nobody can read or write now, so time that passes says nothing of the holder
      this.#sinceMonoMs = clock.monoMs();
    }
    if (this.#isOver) return;
    this.#timer = clock.after(this.#epoch === undefined ? LOOK_MS : RENEW_MS, () => void this.#turn());
  }

  async #stand(): Promise<void> {
    const { chain, clock } = this.#deps;
    const newest = await chain.newest(this.#subject);
    const claim = claimOf(newest);
    const last = newest?.seq ?? (await chain.bounds()).last;
    if (last !== this.#last) {
      this.#last = last;
      this.#sinceMonoMs = clock.monoMs();
    }
    const seenForMs = clock.monoMs() - this.#sinceMonoMs;
    const isFree = claim === undefined || claim.released || seenForMs >= LEASE_CLAIM_MS;
    this.#tell({ isHeld: false, holder: isFree ? null : claim.holder, epoch: last });
    if (!isFree || this.#isOver || !this.#deps.isAlive()) return;
    const startedMonoMs = clock.monoMs();
    const seq = await this.#append(false);
    if (seq === undefined) return;
    this.#epoch = seq;
    this.#hold(startedMonoMs);
  }

  async #renew(): Promise<void> {
    const { chain, clock, lost, isAlive } = this.#deps;
    if (!isAlive()) return;
    const startedMonoMs = clock.monoMs();
    if ((await this.#append(false)) !== undefined) {
      this.#hold(startedMonoMs);
      return;
    }
    // one of its own that it had given up on may be there
    const there = await chain.newest(this.#subject);
    if (there !== null && claimOf(there)?.holder === this.#id && chain.isOwn(there)) {
      this.#last = there.seq;
      return;
    }
    this.#isOver = true;
    this.#holdTimer?.cancel();
    this.#set(false);
    lost();
  }

  /** It holds from when the renewal was asked for, not from when it was answered. */
  #hold(startedMonoMs: number): void {
    const { clock } = this.#deps;
    this.#holdTimer?.cancel();
    this.#heldUntilMonoMs = startedMonoMs + LEASE_HOLD_MS;
    const leftMs = this.#heldUntilMonoMs - clock.monoMs();
    if (leftMs > 0) this.#set(true);
    this.#holdTimer = clock.after(Math.max(0, leftMs), () => this.#set(false));
  }

  async #append(released: boolean): Promise<number | undefined> {
    const { chain, clock } = this.#deps;
    const bytes = new TextEncoder().encode(JSON.stringify({ holder: this.#id, released }));
    const seq = await chain.append(this.#subject, bytes, this.#last, clock.monoMs() + RENEW_MS);
    if (seq !== undefined) this.#last = seq;
    return seq;
  }

  #set(isHeld: boolean): void {
    this.#tell({ isHeld, holder: this.#id, epoch: this.#epoch ?? 0 });
  }

  #tell(state: LeaseState): void {
    const { isHeld, holder, epoch } = this.#state;
    const isNews = state.isHeld !== isHeld || state.holder !== holder || state.epoch !== epoch;
    this.#state = state;
    if (isNews) this.#deps.tell(state);
  }
}

function claimOf(message: StoredMsg | null): z.infer<typeof claimSchema> | undefined {
  if (message === null) return undefined;
  try {
    return claimSchema.parse(JSON.parse(new TextDecoder().decode(message.data)));
  } catch {
    // not one of ours: it runs out like one that is not renewed
    return { holder: 'unknown', released: false };
  }
}
