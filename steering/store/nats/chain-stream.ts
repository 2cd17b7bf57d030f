/**
 * A stream of JetStream as a chain: a message is only taken when its sender has seen all before it. Of several cores that
 * append at once one wins; the others learn that they are behind. What was acknowledged is on the servers' disks, on more than
 * half of them where there are several.
 *
 * An append whose answer is lost is sent again with the same condition, so it is in the chain at most once; each
 * message carries an id, by which its sender knows it again.
 */

import type { StoredMsg, StreamUpdateConfig } from '@nats-io/jetstream';
import { JetStreamApiCodes, JetStreamApiError, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import type { Clock } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';

const ID_HEADER = 'Thalweg-Id';
/** An answer takes a millisecond; a stream whose leader was lost has a new one after one to four seconds. */
const ANSWER_MS = 1000;
const RETRY_MS = 30;

export interface ChainOptions {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly replicas: number;
  /** Older ones go by themselves. */
  readonly keep?: number;
  /** Every message's subject is told here once it is stored. */
  readonly announce?: { readonly from: string; readonly to: string };
}

export interface ChainBounds {
  readonly first: number;
  readonly last: number;
}

export class ChainStream {
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #clock: Clock;
  readonly #options: ChainOptions;
  readonly #sender: string;
  #sent = 0;

  /** `sender`: what tells this process from all others. */
  constructor(
    deps: { js: JetStreamClient; jsm: JetStreamManager; clock: Clock; sender: string },
    options: ChainOptions,
  ) {
    this.#js = deps.js;
    this.#jsm = deps.jsm;
    this.#clock = deps.clock;
    this.#sender = deps.sender;
    this.#options = options;
  }

  /** Makes the stream where it is not there. */
  async ensure(): Promise<void> {
    const { name, subjects, replicas, announce, keep } = this.#options;
    try {
      const { config } = await this.#jsm.streams.info(name);
      if (config.num_replicas !== replicas) {
        await this.#jsm.streams.update(name, {
          ...config,
          num_replicas: replicas,
        } satisfies Partial<StreamUpdateConfig>);
      }
    } catch (cause) {
      if (!(cause instanceof JetStreamApiError) || cause.code !== JetStreamApiCodes.StreamNotFound) throw cause;
      await this.#jsm.streams.add({
        name,
        subjects: [...subjects],
        num_replicas: replicas,
        ...(keep === undefined ? {} : { max_msgs: keep }),
        ...(announce === undefined ? {} : { republish: { src: announce.from, dest: announce.to, headers_only: true } }),
      });
    }
  }

  async bounds(): Promise<ChainBounds> {
    const { state } = await this.#jsm.streams.info(this.#options.name);
    return { first: state.first_seq, last: state.last_seq };
  }

  /** Null: there is no such message, or none any more. */
  read(seq: number): Promise<StoredMsg | null> {
    return this.#jsm.streams.getMessage(this.#options.name, { seq });
  }

  newest(subject: string): Promise<StoredMsg | null> {
    return this.#jsm.streams.getMessage(this.#options.name, { last_by_subj: subject });
  }

  /**
   * Appends after message `after` (0: as the first). Undefined: another message is there already, and nothing was changed.
   * Throws timeout when it is not known by `deadlineMonoMs` whether it was taken: it may be in the chain, or may come.
   */
  async append(
    subject: string,
    payload: Uint8Array,
    after: number,
    deadlineMonoMs: number,
  ): Promise<number | undefined> {
    const id = `${this.#sender}.${++this.#sent}`;
    const marked = headers();
    marked.set(ID_HEADER, id);
    for (;;) {
      try {
        const options = { expect: { lastSequence: after }, headers: marked, timeout: ANSWER_MS, retries: 0 };
        return (await this.#js.publish(subject, payload, options)).seq;
      } catch (cause) {
        if (isTooLarge(cause)) throw cause;
        if (isWrongSequence(cause)) {
          // an earlier try of this one may be what is there; or it is on its way, and nothing is there yet
          const there = await this.read(after + 1).catch(() => null);
          if (there !== null) return there.header.get(ID_HEADER) === id ? there.seq : undefined;
          // the messages up to there may be gone with an old snapshot
          const bounds = await this.bounds().catch(() => undefined);
          if (bounds !== undefined && bounds.first > after + 1) return undefined;
        }
        if (this.#clock.monoMs() >= deadlineMonoMs) throw unanswered(this.#options.name, cause);
        await new Promise<void>((resolve) => this.#clock.after(RETRY_MS, resolve));
      }
    }
  }

  /** Whether this process appended it. */
  isOwn(message: StoredMsg): boolean {
    return message.header.get(ID_HEADER).startsWith(`${this.#sender}.`);
  }

  /** Lets go of everything before message `seq`. */
  async dropBefore(seq: number): Promise<void> {
    await this.#jsm.streams.purge(this.#options.name, { seq });
  }
}

function isWrongSequence(cause: unknown): boolean {
  return cause instanceof JetStreamApiError && cause.code === JetStreamApiCodes.StreamWrongLastSequence;
}

function isTooLarge(cause: unknown): boolean {
  return cause instanceof Error && /max.?payload/i.test(cause.message);
}

function unanswered(name: string, cause: unknown): ThalwegError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ThalwegError('timeout', `NATS did not take a message of ${name}: ${why}`, { cause });
}
