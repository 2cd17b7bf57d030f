/** The side of the store that speaks to NATS: the log of commits, snapshots of the tables, the engine's state. */
import { randomBytes } from 'node:crypto';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Clock, Timer } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { SerialWork } from '../../../protocol/serial-work.ts';
import { BlobStream } from './blob-stream.ts';
import { ChainStream } from './chain-stream.ts';
import { Lease } from './lease.ts';
import type { LinkAnswer, LinkRequest, MessageFromLink, RelayMessage, SavedTables } from './link-message.ts';
import { connectionOptions, type NatsSettings, streamPrefix, subjectPrefix } from './nats-settings.ts';
import { RelayPost } from './relay-post.ts';

/** Servers that were started with the core need a moment, three of them some seconds to agree on who leads. */
const OPEN_MS = 20_000;
/** A change that NATS has not taken by then is reported as failed: longer than it needs to replace a server that led. */
const WRITE_MS = 6000;
/** How often the log is looked at beside the announcements, which nobody guarantees. */
const LOOK_MS = 1000;
const RETRY_MS = 100;
const CONNECT_MS = 2000;
/** A server that answers nothing for two of these is left for another one. */
const PING_MS = 2000;
/** Entries that are fetched at the same time. */
const FETCHES = 64;

/** The core's thread waits for disks and for NATS, and has long steps, but no longer than this. */
const PULSE_MS = 10_000;

interface Streams {
  readonly connection: NatsConnection;
  readonly log: ChainStream;
  readonly lease: ChainStream;
  readonly tables: BlobStream;
  readonly engine: BlobStream;
}

export class NatsLink {
  readonly #settings: NatsSettings;
  readonly #coreId: string;
  readonly #pulse: Pulse;
  #lease: Lease | undefined;
  readonly #clock: Clock;
  readonly #tell: (message: MessageFromLink) => void;
  #streams: Streams | undefined;
  /** The last entry that the core's thread was told of, or wrote. */
  #told = 0;
  #isLost = false;
  /** Whoever touches the log waits for whoever does before. */
  readonly #turns = new SerialWork();
  #timer: Timer | undefined;
  #isLooking = false;
  #post: RelayPost | undefined;

  /** `pulse`: a number that changes as long as the core's thread is alive. */
  constructor(
    deps: { clock: Clock; tell: (message: MessageFromLink) => void; pulse: () => number },
    options: { settings: NatsSettings; coreId: string },
  ) {
    this.#clock = deps.clock;
    this.#tell = deps.tell;
    this.#pulse = new Pulse(deps.clock, deps.pulse);
    this.#settings = options.settings;
    this.#coreId = options.coreId;
  }

  async answer(request: LinkRequest): Promise<LinkAnswer> {
    switch (request.kind) {
      case 'open':
        return { kind: 'opened', tables: await this.#open() };
      case 'catchUp':
        await this.#turns.run(() => this.#catchUp());
        return { kind: 'done' };
      case 'append':
        return this.#turns.run(() => this.#append(request.bytes, request.after));
      case 'loadEngine': {
        const { engine } = this.#there();
        await engine.claim(this.#deadline());
        const blob = await engine.load();
        return { kind: 'engine', engine: { state: blob?.bytes, records: blob?.records ?? [] } };
      }
      case 'saveEngine':
        await this.#there().engine.save(request.state, [], this.#deadline());
        return { kind: 'done' };
      case 'recordEngine':
        await this.#there().engine.record(request.record, this.#deadline());
        return { kind: 'done' };
      case 'saveTables':
        await this.#saveTables(request.tables);
        return { kind: 'done' };
      case 'campaign':
        this.#campaign();
        return { kind: 'done' };
      case 'close':
        this.#timer?.cancel();
        await this.#post?.stop();
        await this.#lease?.stop();
        await this.#streams?.connection.close();
        return { kind: 'done' };
      default:
        return request satisfies never;
    }
  }

  /** What goes to other cores. */
  relay(message: RelayMessage): void {
    const [clock, tell, pulse] = [this.#clock, this.#tell, this.#pulse];
    switch (message.kind) {
      case 'join':
        this.#post ??= new RelayPost(
          { clock, tell, heldTerm: () => this.#lease?.heldEpoch, isAlive: () => pulse.isBeating },
          { settings: this.#settings, core: this.#coreId },
        );
        void this.#post.start();
        return;
      case 'serve':
        this.#post?.serve(message.term);
        return;
      case 'send':
        this.#post?.send(message);
        return;
      default:
        message satisfies never;
    }
  }

  async #open(): Promise<SavedTables | undefined> {
    const deadlineMonoMs = this.#clock.monoMs() + OPEN_MS;
    const options = connectionOptions(this.#settings);
    let connection: NatsConnection | undefined;
    for (;;) {
      try {
        connection ??= await connect({
          ...options,
          name: 'thalweg core',
          timeout: CONNECT_MS,
          pingInterval: PING_MS,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RETRY_MS,
        });
        const tables = await this.#openStreams(connection);
        this.#look();
        return tables;
      } catch (cause) {
        if (cause instanceof ThalwegError) throw cause;
        if (this.#clock.monoMs() >= deadlineMonoMs) {
          await connection?.close();
          throw this.#unreachable(cause);
        }
        await new Promise<void>((resolve) => this.#clock.after(RETRY_MS, resolve));
      }
    }
  }

  async #openStreams(connection: NatsConnection): Promise<SavedTables | undefined> {
    const [stream, subject] = [streamPrefix(this.#settings), subjectPrefix(this.#settings)];
    const { replicas } = this.#settings;
    const jsm = await jetstreamManager(connection, { timeout: CONNECT_MS });
    const deps = { js: jetstream(connection), jsm, clock: this.#clock, sender: randomBytes(9).toString('base64url') };
    const announced = `${subject}.logged`;
    const log = new ChainStream(deps, {
      name: `${stream}-log`,
      subjects: [`${subject}.log`],
      replicas,
      announce: { from: `${subject}.log`, to: announced },
    });
    const engine = new ChainStream(deps, { name: `${stream}-engine`, subjects: [`${subject}.engine.*`], replicas });
    const tables = new ChainStream(deps, { name: `${stream}-tables`, subjects: [`${subject}.tables.*`], replicas });
    const lease = new ChainStream(deps, { name: `${stream}-lease`, subjects: [`${subject}.lease`], replicas, keep: 8 });
    await Promise.all([log, engine, tables, lease].map((chain) => chain.ensure()));
    const saved = new BlobStream(tables, `${subject}.tables`);
    const blob = await saved.load();
    this.#told = blob?.mark[0] ?? 0;
    this.#streams = { connection, log, lease, tables: saved, engine: new BlobStream(engine, `${subject}.engine`) };
    connection.subscribe(announced, { callback: () => this.#lookNow() });
    await this.#turns.run(() => this.#catchUp());
    return blob === undefined ? undefined : { bytes: blob.bytes, seq: blob.mark[0] ?? 0 };
  }

  #campaign(): void {
    const tell = this.#tell;
    const lost = () => tell({ kind: 'lost', why: 'another core steers now: this one was not heard of in time' });
    this.#lease ??= new Lease(
      {
        chain: this.#there().lease,
        clock: this.#clock,
        tell: (state) => tell({ kind: 'lease', state }),
        lost,
        isAlive: () => this.#pulse.isBeating,
      },
      { id: this.#coreId, subject: `${subjectPrefix(this.#settings)}.lease` },
    );
    this.#lease.start();
  }

  async #append(bytes: Uint8Array, after: number): Promise<LinkAnswer> {
    const { log } = this.#there();
    if (after === this.#told) {
      const seq = await log.append(`${subjectPrefix(this.#settings)}.log`, bytes, after, this.#deadline());
      if (seq !== undefined) {
        this.#told = seq;
        return { kind: 'appended', seq };
      }
    }
    await this.#catchUp();
    return { kind: 'behind' };
  }

  /** Tells of all entries that there are. */
  async #catchUp(): Promise<void> {
    const { log } = this.#there();
    const { first, last } = await log.bounds();
    while (this.#told < last && !this.#isLost) {
      const count = Math.min(FETCHES, last - this.#told);
      const entries = await Promise.all(Array.from({ length: count }, (_, i) => log.read(this.#told + 1 + i)));
      for (const entry of entries) {
        if (entry === null) {
          this.#isLost = first > this.#told + 1 || (await log.bounds()).first > this.#told + 1;
          if (this.#isLost)
            this.#tell({ kind: 'lost', why: 'entries of the log that this core has not seen are gone' });
          return;
        }
        this.#told = entry.seq;
        this.#tell({ kind: 'entry', seq: entry.seq, bytes: new Uint8Array(entry.data) });
      }
    }
  }

  /** Entries that are in the snapshot and old enough that no core will want them go. */
  async #saveTables({ bytes, seq }: SavedTables): Promise<void> {
    const { tables, log } = this.#there();
    const before = (await tables.load())?.mark[0] ?? 0;
    if (before >= seq) return;
    await tables.claim(this.#deadline());
    await tables.save(bytes, [seq], this.#deadline());
    // those since the last one stay, for cores that are a little behind
    if (before > 0) await log.dropBefore(before + 1);
  }

  #look(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(LOOK_MS, () => this.#lookNow());
  }

  #lookNow(): void {
    if (this.#isLooking || this.#streams?.connection.isClosed() === true) return;
    this.#isLooking = true;
    // NATS may be away; the next look finds it again
    this.#turns
      .run(() => this.#catchUp())
      .catch(() => {})
      .finally(() => {
        this.#isLooking = false;
        this.#look();
      });
  }

  #there(): Streams {
    if (this.#streams !== undefined) return this.#streams;
    throw new ThalwegError('internal', 'the connection to NATS was not opened');
  }

  #deadline(): number {
    return this.#clock.monoMs() + WRITE_MS;
  }

  #unreachable(cause: unknown): ThalwegError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new ThalwegError('unreachable', `NATS at ${this.#settings.servers.join(', ')}: ${why}`, {
      nextStep: 'check that nats-server runs there with JetStream, with at least as many servers as nats.replicas',
    });
  }
}

/** Whether a number still changes. */
class Pulse {
  readonly #clock: Clock;
  readonly #read: () => number;
  #value = Number.NaN;
  #sinceMonoMs = 0;

  constructor(clock: Clock, read: () => number) {
    this.#clock = clock;
    this.#read = read;
  }

  get isBeating(): boolean {
    const [value, nowMs] = [this.#read(), this.#clock.monoMs()];
    if (value !== this.#value) {
      this.#value = value;
      this.#sinceMonoMs = nowMs;
    }
    return nowMs - this.#sinceMonoMs < PULSE_MS;
  }
}
