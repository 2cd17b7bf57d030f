/**
 * The store's thread beside the one that speaks to NATS. A commit is waited for as a disk flush is: nothing else happens on
 * this thread meanwhile, so what others read is what is durable. Entries of other cores come in between.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { ERROR_CODES, ThalwegError } from '../../../protocol/error.ts';
import { programFile } from '../../../protocol/program-file.ts';
import type { LeaseState } from './lease.ts';
import {
  type LinkAnswer,
  type LinkRequest,
  type LinkWorkerData,
  type MessageFromLink,
  type MessageToLink,
  type RelayMessage,
  type RelayNews,
  SIGNAL,
} from './link-message.ts';
import type { NatsSettings } from './nats-settings.ts';

/** The other thread has deadlines of its own, all of them shorter; a thread that died answers nothing. */
const ANSWER_MS = 60_000;
const CLOSE_MS = 2000;

export interface BridgeListener {
  /** An entry of another core, or one of this core that it had given up on. */
  entry(seq: number, bytes: Uint8Array): void;
  lease(state: LeaseState): void;
  /** From other cores; never from within a call of the bridge. */
  relay(news: RelayNews): void;
  /** This core cannot go on. */
  lost(why: string): void;
}

export class NatsBridge {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #signal: Int32Array;
  #listener: BridgeListener | undefined;
  #ticket = 0;
  #isClosed = false;
  /** What came while an answer was waited for. */
  readonly #waiting: MessageFromLink[] = [];
  /** What other cores said, until nothing else is being done. */
  #news: RelayNews[] = [];

  /** `entry`: the thread's program, where it is not the one of the build. */
  constructor(settings: NatsSettings, coreId: string, entry?: URL) {
    const signal = new SharedArrayBuffer(SIGNAL.bytes);
    this.#signal = new Int32Array(signal);
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(entry ?? programFile('steering/store/nats/nats-worker'), {
      workerData: { settings, signal, port: port2, coreId } satisfies LinkWorkerData,
      transferList: [port2],
      execArgv: [],
      name: 'thalweg-nats',
    });
    this.#worker.unref();
    this.#worker.on('error', (error) =>
      this.#listener?.lost(`the thread that speaks to NATS failed: ${error.message}`),
    );
  }

  /** From now on the listener hears of what comes; what has come waits for `hearWaiting`. */
  listen(listener: BridgeListener): void {
    this.#listener = listener;
    this.#port.on('message', (message: MessageFromLink) => this.#hear(message));
    this.#port.unref();
  }

  /** Whether this core may act as the one that steers, at this moment. */
  get mayAct(): boolean {
    return Atomics.load(this.#signal, SIGNAL.mayAct) === 1;
  }

  /** Says that this thread is alive. */
  beat(): void {
    Atomics.add(this.#signal, SIGNAL.alive, 1);
  }

  /** Has the other thread carry this; a packet's memory goes with it. */
  relay(message: RelayMessage): void {
    if (this.#isClosed) return;
    const moved = message.kind === 'send' ? [message.packet.buffer as ArrayBuffer] : [];
    this.#port.postMessage({ relay: message } satisfies MessageToLink, moved);
  }

  /** Asks, and does not care for the answer. */
  tell(request: LinkRequest): void {
    this.#port.postMessage({ ticket: ++this.#ticket, request } satisfies MessageToLink);
  }

  /** Asks and waits. Throws what the other thread answers with, storage_failed when it does not answer. */
  ask(request: LinkRequest, limitMs = ANSWER_MS): LinkAnswer {
    const ticket = ++this.#ticket;
    this.#port.postMessage({ ticket, request } satisfies MessageToLink);
    for (;;) {
      const seen = Atomics.load(this.#signal, SIGNAL.messages);
      const received = receiveMessageOnPort(this.#port) as { message: MessageFromLink } | undefined;
      if (received === undefined) {
        if (Atomics.wait(this.#signal, SIGNAL.messages, seen, limitMs) !== 'timed-out') continue;
        throw new ThalwegError('storage_failed', `the thread that speaks to NATS did not answer within ${limitMs} ms`);
      }
      const { message } = received;
      if (message.kind !== 'answer' && message.kind !== 'refusal') this.#keep(message);
      else if (message.ticket !== ticket)
        continue; // somebody gave up on it
      else if (message.kind === 'answer') return message.answer;
      else throw refusal(message.code, message.message);
    }
  }

  #keep(message: MessageFromLink): void {
    this.#waiting.push(message);
    // soon, if nobody asks for it before
    if (this.#waiting.length === 1) queueMicrotask(() => this.hearWaiting());
  }

  /** Tells the listener what came while an answer was waited for. */
  hearWaiting(): void {
    if (this.#listener === undefined) return;
    for (const message of this.#waiting.splice(0)) this.#hear(message);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.ask({ kind: 'close' }, CLOSE_MS);
    } catch {
      // it ends with this process
    }
    this.#port.close();
    void this.#worker.terminate();
  }

  #tellNews(): void {
    const all = this.#news;
    this.#news = [];
    for (const news of all) if (!this.#isClosed) this.#listener?.relay(news);
  }

  #hear(message: MessageFromLink): void {
    if (this.#isClosed) return;
    // in the order in which they came
    if (message.kind === 'entry') this.#listener?.entry(message.seq, message.bytes);
    if (message.kind === 'lease') this.#listener?.lease(message.state);
    if (message.kind === 'lost') this.#listener?.lost(message.why);
    if (message.kind === 'relay') {
      this.#news.push(message.relay);
      if (this.#news.length === 1) queueMicrotask(() => this.#tellNews());
    }
  }
}

function refusal(code: string, message: string): ThalwegError {
  const known = ERROR_CODES.find((one) => one === code) ?? 'storage_failed';
  if (known !== 'timeout') return new ThalwegError(known, message);
  return new ThalwegError('storage_failed', `${message}; whether the change was made shows when NATS answers again`, {
    nextStep: 'check that more than half of the NATS servers are up; no restart is needed',
  });
}
