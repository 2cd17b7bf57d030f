/**
 * The shell around sender and reflector: two sockets on the tunnel address, one timer.
 *
 *   timer --> lag measured --> due probes sent --> silence judged --> summaries posted
 *   sender socket (any port)    <-- replies, stamped T4 on arrival
 *   reflector socket (port 862) <-- probes of others, stamped T2, rewritten in place, stamped T3, sent back
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { LoopLag } from './loop-lag.ts';
import { ProbeCounts } from './probe-counters.ts';
import type { LinkSummary, ProbeCounters, ProbeSettings, ProbeTarget } from './prober.ts';
import { SessionReflector } from './session-reflector.ts';
import { SessionSender } from './session-sender.ts';
import { StampClock } from './stamp-clock.ts';

/** A wake-up costs as much as a packet: at 12 peers and 200 ms, 25 a second send two or three probes each. */
const TICK_MIN_MS = 40;
/** Lag and silence are judged at least this often. */
const TICK_MAX_MS = 50;
/** After a stall the sockets are read before silence is judged; a machine that is always late is judged all the same. */
const UNJUDGED_TICKS_MAX = 5;

/** A bound UDP socket. Implemented by stamp-socket.ts on node:dgram; tests join loops by an in-memory network. */
export interface StampSocket {
  /** The packet is the receiver's to keep and to change. */
  onMessage(listener: (packet: Buffer, address: string, port: number) => void): void;
  onError(listener: () => void): void;
  /** `done` is called when the packet was handed to the kernel or refused by it. The packet is only lent until then. */
  send(packet: Buffer, address: string, port: number, done: (error: Error | null) => void): void;
  close(): Promise<void>;
}

/** Binds a socket; port 0: any. `what` names it in errors, `aborted` ends a wait early. Throws ThalwegError. */
export type OpenStampSocket = (
  what: string,
  address: string,
  port: number,
  aborted: () => boolean,
) => Promise<StampSocket>;

export interface ProbeLoopDeps {
  readonly clock: Clock;
  readonly openSocket: OpenStampSocket;
  readonly onSummary: SummaryListener;
}

export interface ProbeLoopOptions {
  readonly bindAddress: string;
  readonly reflectorPort: number;
  readonly settings: ProbeSettings;
  readonly summaryIntervalMs: number;
  /** IPv4 prefix outside of which the reflector answers nobody; null: it answers anybody. */
  readonly allowedRange: string | null;
}

export type SummaryListener = (summaries: readonly LinkSummary[], counters: ProbeCounters) => void;

export class ProbeLoop {
  readonly #clock: Clock;
  readonly #options: ProbeLoopOptions;
  readonly #onSummary: SummaryListener;
  readonly #lag = new LoopLag();
  readonly #counts = new ProbeCounts();
  readonly #sender: SessionSender;
  readonly #reflector: SessionReflector;
  readonly #openSocket: OpenStampSocket;
  #sockets: StampSocket[] = [];
  #timer: Timer | undefined;
  #stopped = false;
  #unjudgedTicks = 0;
  #summaryDueMs = 0;

  constructor(deps: ProbeLoopDeps, options: ProbeLoopOptions) {
    this.#clock = deps.clock;
    this.#openSocket = deps.openSocket;
    this.#onSummary = deps.onSummary;
    this.#options = options;
    const stampDeps = { clock: new StampClock(deps.clock), lag: this.#lag };
    this.#sender = new SessionSender(stampDeps, { settings: options.settings });
    this.#reflector = new SessionReflector(stampDeps, {
      port: options.reflectorPort,
      allowedRange: options.allowedRange,
    });
  }

  /** Binds both sockets and begins. Throws what `openSocket` throws; nothing is left open then. */
  async start(): Promise<void> {
    const { bindAddress, reflectorPort } = this.#options;
    try {
      for (const [what, port] of [
        ['STAMP reflector', reflectorPort],
        ['STAMP sender', 0],
      ] as const) {
        const socket = await this.#openSocket(what, bindAddress, port, () => this.#stopped);
        socket.onError(() => this.#counts.drop('socket_error'));
        this.#sockets.push(socket);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    const [reflectorSocket, senderSocket] = this.#sockets;
    if (reflectorSocket === undefined || senderSocket === undefined || this.#stopped) return this.stop();
    reflectorSocket.onMessage((packet, address, port) => {
      const outcome = this.#reflector.reflect(packet, address, port, this.#clock.monoMs());
      if (outcome !== 'reflected') return this.#counts.drop(outcome);
      this.#send(reflectorSocket, packet, address, port, this.#onReflected);
    });
    senderSocket.onMessage((packet, address, port) => {
      const outcome = this.#sender.receive(packet, address, port, this.#clock.monoMs());
      if (outcome === 'accepted' || outcome === 'late_event_loop') this.#counts.received++;
      if (outcome !== 'accepted') this.#counts.drop(outcome);
    });
    this.#tick(senderSocket);
  }

  /** Targets have passed `checkTargets`. */
  setTargets(targets: readonly ProbeTarget[]): void {
    this.#sender.setTargets(targets);
  }

  setSettings(settings: ProbeSettings): void {
    this.#sender.setSettings(settings);
  }

  /** Idempotent. Afterwards no socket and no timer is left, and the listener is not called again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const sockets = this.#sockets;
    this.#sockets = [];
    await Promise.all(sockets.map((socket) => socket.close()));
  }

  #tick(senderSocket: StampSocket): void {
    if (this.#stopped) return;
    const nowMs = this.#clock.monoMs();
    const stalled = this.#lag.fired(nowMs) > 0;
    for (let due = this.#sender.takeDueProbe(nowMs); due !== undefined; due = this.#sender.takeDueProbe(nowMs)) {
      this.#send(senderSocket, due.packet, due.target.address, due.target.port, this.#onProbeSent);
    }
    // Node runs timers before it reads sockets: after a stall the replies are still in the kernel, so come back first.
    const judge = !stalled || this.#unjudgedTicks >= UNJUDGED_TICKS_MAX;
    this.#unjudgedTicks = judge ? 0 : this.#unjudgedTicks + 1;
    if (judge) this.#sender.checkHealth(nowMs);
    if (this.#sender.takeUrgent() || nowMs >= this.#summaryDueMs) {
      this.#summaryDueMs = nowMs + this.#options.summaryIntervalMs;
      this.#onSummary(this.#sender.summaries(nowMs), this.#counts.snapshot(this.#lag.takeMaxMs()));
    }
    const tickMs = judge ? Math.min(Math.max(this.#sender.slotMs, TICK_MIN_MS), TICK_MAX_MS) : 1;
    this.#timer = this.#clock.after(tickMs, () => this.#tick(senderSocket));
    this.#lag.armed(this.#clock.monoMs() + tickMs);
  }

  /** Errors such as ENETUNREACH, EPERM or a source port of 0 are counted, never thrown. */
  #send(socket: StampSocket, packet: Buffer, address: string, port: number, done: (error: Error | null) => void): void {
    try {
      socket.send(packet, address, port, done);
    } catch {
      this.#counts.drop('send_failed');
    }
  }

  readonly #onProbeSent = (error: Error | null): void => {
    if (error === null) this.#counts.sent++;
    else this.#counts.drop('send_failed');
  };

  readonly #onReflected = (error: Error | null): void => {
    if (error === null) this.#counts.reflected++;
    else this.#counts.drop('send_failed');
  };
}
