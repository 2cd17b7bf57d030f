/**
 * Something that is saved whole, in pieces that fit into messages, and small records since: the state of the steering engine,
 * and snapshots of the tables. Only the core that claimed it last can write.
 *
 *   claim | chunk chunk chunk head | record record | chunk chunk head | record ...
 *                              |                                 |
 *                              +-- names its chunks              +-- once it is there, all before its chunks goes
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ThalwegError } from '../../../protocol/error.ts';
import type { ChainStream } from './chain-stream.ts';

/** A server refuses messages above 1 MiB unless told otherwise. */
const CHUNK_BYTES = 512 * 1024;

const headSchema = z.object({
  first: z.int(),
  chunks: z.int(),
  sha256: z.string(),
  /** Whatever the owner wants to find beside the bytes. */
  mark: z.array(z.int()),
});

export interface Blob {
  readonly bytes: Uint8Array;
  readonly mark: readonly number[];
  /** Oldest first. */
  readonly records: Uint8Array[];
}

export class BlobStream {
  readonly #chain: ChainStream;
  readonly #subject: string;
  #last = 0;

  /** `subject`: chunks, heads and records are below it. */
  constructor(chain: ChainStream, subject: string) {
    this.#chain = chain;
    this.#subject = subject;
  }

  /** From now on nobody who claimed it before can write. */
  async claim(deadlineMonoMs: number): Promise<void> {
    for (;;) {
      const { last } = await this.#chain.bounds();
      const seq = await this.#chain.append(`${this.#subject}.claim`, new Uint8Array(), last, deadlineMonoMs);
      if (seq === undefined) continue;
      this.#last = seq;
      return;
    }
  }

  /** Undefined when nothing was ever saved. Throws storage_failed when the pieces are not those that were written. */
  async load(): Promise<Blob | undefined> {
    const found = await this.#chain.newest(`${this.#subject}.head`);
    if (found === null) return undefined;
    const head = headSchema.parse(JSON.parse(new TextDecoder().decode(found.data)));
    const pieces = await Promise.all(Array.from({ length: head.chunks }, (_, i) => this.#chain.read(head.first + i)));
    const bytes = Buffer.concat(pieces.map((piece) => piece?.data ?? new Uint8Array()));
    if (createHash('sha256').update(bytes).digest('hex') !== head.sha256) {
      throw new ThalwegError('storage_failed', `what NATS keeps below ${this.#subject} is not what was written`, {
        nextStep: 'restore the streams of this mesh from a backup of NATS',
      });
    }
    const { last } = await this.#chain.bounds();
    const later = await Promise.all(
      Array.from({ length: last - found.seq }, (_, i) => this.#chain.read(found.seq + 1 + i)),
    );
    const records = later.flatMap((message) =>
      message !== null && message.subject === `${this.#subject}.record` ? [new Uint8Array(message.data)] : [],
    );
    return { bytes: new Uint8Array(bytes), mark: head.mark, records };
  }

  /** The records before are part of it, and go. Throws conflict when somebody else has claimed it since. */
  async save(bytes: Uint8Array, mark: readonly number[], deadlineMonoMs: number): Promise<void> {
    const first = this.#last + 1;
    let chunks = 0;
    for (let from = 0; from < bytes.length; from += CHUNK_BYTES, chunks++) {
      await this.#append('chunk', bytes.subarray(from, from + CHUNK_BYTES), deadlineMonoMs);
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const head: z.infer<typeof headSchema> = { first, chunks, sha256, mark: [...mark] };
    await this.#append('head', new TextEncoder().encode(JSON.stringify(head)), deadlineMonoMs);
    // what stays behind when this fails goes with the next one
    this.#chain.dropBefore(first).catch(() => {});
  }

  async record(bytes: Uint8Array, deadlineMonoMs: number): Promise<void> {
    await this.#append('record', bytes, deadlineMonoMs);
  }

  async #append(kind: string, bytes: Uint8Array, deadlineMonoMs: number): Promise<void> {
    for (;;) {
      const seq = await this.#chain.append(`${this.#subject}.${kind}`, bytes, this.#last, deadlineMonoMs);
      if (seq !== undefined) {
        this.#last = seq;
        return;
      }
      // one of ours, given up on as unanswered, may have been taken after all
      const there = await this.#chain.read(this.#last + 1);
      if (there === null || !this.#chain.isOwn(there)) break;
      this.#last = there.seq;
    }
    throw new ThalwegError('conflict', 'another core writes what this one was writing', {
      nextStep: 'nothing: the other core has taken over',
    });
  }
}
