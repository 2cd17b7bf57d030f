/**
 * Carries the relay's packets over core NATS, on a connection of its own: a table of megabytes is not to keep a renewal of the
 * lease waiting. Nothing is stored, and nothing waits for a server that is away: what is lost is noticed by the link's numbers.
 *
 *   <mesh>.relay.solver.<term>.<core>   from a holder to the solver of that term
 *   <mesh>.relay.holder.<core>          from the solver to a holder
 *   <mesh>.relay.steers                 who steers, four times a second
 */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import type { Clock, Timer } from '../../../protocol/clock.ts';
import type { MessageFromLink, RelayMessage } from './link-message.ts';
import { connectionOptions, type NatsSettings, subjectPrefix } from './nats-settings.ts';

const STEERS_MS = 250;
const CONNECT_MS = 2000;
const RETRY_MS = 100;
const PING_MS = 1000;
/** What waits for the lease to be renewed; more is dropped, and the links begin anew. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
const MAX_STEERS_BYTES = 256;
const MAX_PACKET_BYTES = 128 * 1024;

const CORE = /^[A-Za-z0-9_-]{1,64}$/;
const steersSchema = z.object({ core: z.string().regex(CORE), term: z.int().min(1) });

export interface RelayPostDeps {
  readonly clock: Clock;
  readonly tell: (message: MessageFromLink) => void;
  /** The term whose lease is held at this moment, by the clock; undefined: none. */
  readonly heldTerm: () => number | undefined;
  /** False while the core's own thread does not answer. */
  readonly isAlive: () => boolean;
}

export class RelayPost {
  readonly #deps: RelayPostDeps;
  readonly #settings: NatsSettings;
  readonly #core: string;
  readonly #prefix: string;
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #term: number | undefined;
  #timer: Timer | undefined;
  #isOver = false;
  #waiting: { readonly subject: string; readonly packet: Uint8Array }[] = [];
  #waitingBytes = 0;

  constructor(deps: RelayPostDeps, options: { settings: NatsSettings; core: string }) {
    this.#deps = deps;
    this.#settings = options.settings;
    this.#core = options.core;
    this.#prefix = `${subjectPrefix(options.settings)}.relay`;
  }

  /** Connects, now or when there is a server to connect to, and hears as a holder. Never rejects. */
  async start(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#isOver) {
      try {
        const connection = await connect({
          ...connectionOptions(this.#settings),
          name: 'thalweg core, relay',
          timeout: CONNECT_MS,
          pingInterval: PING_MS,
          maxReconnectAttempts: -1,
          reconnectTimeWait: RETRY_MS,
        });
        if (this.#isOver) await connection.close();
        else this.#opened(connection);
        return;
      } catch {
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
  }

  /** Says four times a second that this core steers, while it holds the lease of this term, and hears what is for that solver. */
  serve(term: number): void {
    if (this.#term !== undefined) return;
    this.#term = term;
    this.#hearHolders();
    this.#announce();
  }

  send({ to, term, packet }: Extract<RelayMessage, { kind: 'send' }>): void {
    if (to === null) {
      this.#publish(`${this.#prefix}.solver.${term}.${this.#core}`, packet);
      return;
    }
    this.#waiting.push({ subject: `${this.#prefix}.holder.${to}`, packet });
    this.#waitingBytes += packet.length;
    this.#release();
  }

  /** What was sent goes out first, where a server takes it. Idempotent. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#isConnected) {
      const late = new Promise<void>((resolve) => this.#deps.clock.after(RETRY_MS, resolve));
      await Promise.race([connection.flush().catch(() => {}), late]);
    }
    await connection.close();
  }

  #opened(connection: NatsConnection): void {
    const { tell } = this.#deps;
    this.#connection = connection;
    this.#connected(true);
    void this.#watch(connection);
    connection.subscribe(`${this.#prefix}.holder.${this.#core}`, {
      callback: (error, { data }) => {
        if (error === null && data.length <= MAX_PACKET_BYTES) {
          tell({ kind: 'relay', relay: { kind: 'fromSolver', packet: new Uint8Array(data) } });
        }
      },
    });
    connection.subscribe(`${this.#prefix}.steers`, {
      callback: (error, { data }) => {
        const solver = error === null ? steersOf(data) : undefined;
        if (solver !== undefined) tell({ kind: 'relay', relay: { kind: 'solver', ...solver } });
      },
    });
    this.#hearHolders();
  }

  #hearHolders(): void {
    if (this.#connection === undefined || this.#term === undefined) return;
    const subject = `${this.#prefix}.solver.${this.#term}`;
    this.#connection.subscribe(`${subject}.*`, {
      callback: (error, message) => {
        const core = message.subject.slice(subject.length + 1);
        if (error !== null || !CORE.test(core) || message.data.length > MAX_PACKET_BYTES) return;
        const packet = new Uint8Array(message.data);
        this.#deps.tell({ kind: 'relay', relay: { kind: 'fromHolder', core, packet } });
      },
    });
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.#connected(false);
      else if (type === 'reconnect') this.#connected(true);
    }
  }

  #connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#deps.tell({ kind: 'relay', relay: { kind: 'connected', isConnected } });
  }

  #announce(): void {
    if (this.#isOver || this.#term === undefined) return;
    const { clock, isAlive } = this.#deps;
    this.#release();
    if (this.#mayAct && isAlive()) {
      const steers = { core: this.#core, term: this.#term } satisfies z.infer<typeof steersSchema>;
      this.#publish(`${this.#prefix}.steers`, new TextEncoder().encode(JSON.stringify(steers)));
    }
    this.#timer = clock.after(STEERS_MS, () => this.#announce());
  }

  /** By the clock at this moment: a core that was stopped for a while finds out before it says anything. */
  get #mayAct(): boolean {
    return this.#term !== undefined && this.#deps.heldTerm() === this.#term;
  }

  #release(): void {
    if (this.#mayAct) for (const { subject, packet } of this.#waiting) this.#publish(subject, packet);
    else if (this.#waitingBytes <= MAX_WAITING_BYTES) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #publish(subject: string, bytes: Uint8Array): void {
    // a client that has lost its server would keep it, and send it when it is old
    if (!this.#isConnected || this.#isOver) return;
    try {
      this.#connection?.publish(subject, bytes);
    } catch {
      // closed a moment ago, or a server that takes less than 64 KiB: lost like any other packet
    }
  }
}

/** Undefined: not one of ours. */
function steersOf(data: Uint8Array): z.infer<typeof steersSchema> | undefined {
  if (data.length > MAX_STEERS_BYTES) return undefined;
  try {
    return steersSchema.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch {
    return undefined;
  }
}
