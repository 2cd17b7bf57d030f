/**
 * The shell around sender and reflector: two sockets on the tunnel address, one timer.
 *
 *   timer --> lag measured --> links judged --> due probes sent --> silence judged --> summaries posted
 *   sender socket (any port)    <-- replies, stamped T4 on arrival
 *   reflector socket (port 862) <-- probes of others, stamped T2, rewritten in place, stamped T3, sent back
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { decodeWord } from './link-word.ts';
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
/** Links with deadlines of their own are judged to a millisecond where the timers are. */
const TICK_LEAST_MS = 1;
/** So late, and replies may lie in the sockets that a guard would miss: they are read before it judges. */
const JUDGE_LATE_MS = 4;
/** How often the thread's share of a processor is looked at, and by how much the paces give way. */
const SHARE_PERIOD_MS = 5000;
const STRETCH_STEP = 1.25;
const STRETCH_MAX = 16;
/** Paces quicken again well below the share that slowed them, or they would go to and fro. */
const STRETCH_BACK_BELOW = 0.7;
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
  /** Asks the kernel of the host at `address` for a sign of life by the path of the probes; calls back when it came. */
  readonly askKernel?: (address: string, onAnswer: () => void) => void;
  /** Share of one processor that this thread took since the last call, 0 to 1. */
  readonly processorShare?: () => number;
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
  #armedForMs = Number.POSITIVE_INFINITY;
  #shareDueMs = 0;
  #stretch = 1;
  #settings: ProbeSettings;
  readonly #deps: ProbeLoopDeps;

  constructor(deps: ProbeLoopDeps, options: ProbeLoopOptions) {
    this.#deps = deps;
    this.#clock = deps.clock;
    this.#openSocket = deps.openSocket;
    this.#onSummary = deps.onSummary;
    this.#options = options;
    this.#settings = options.settings;
    const stampDeps = { clock: new StampClock(deps.clock), lag: this.#lag };
    this.#sender = new SessionSender(
      { ...stampDeps, onGuard: (what) => (what === 'doubt' ? this.#counts.doubts++ : this.#counts.lost++) },
      { settings: options.settings, ownAddress: options.bindAddress },
    );
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
      const nowMs = this.#clock.monoMs();
      const outcome = this.#reflector.reflect(packet, address, port, nowMs);
      if (outcome !== 'reflected') return this.#counts.drop(outcome);
      this.#send(reflectorSocket, packet, address, port, this.#onReflected);
      this.#sender.heard(address, decodeWord(packet), nowMs);
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
    this.#settings = settings;
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
    const late = nowMs - this.#armedForMs > JUDGE_LATE_MS;
    const stalled = this.#lag.fired(nowMs) > 0 || late;
    // Node runs timers before it reads sockets: after a stall the replies are still in the kernel, so come back first.
    const judge = !stalled || this.#unjudgedTicks >= UNJUDGED_TICKS_MAX;
    this.#unjudgedTicks = judge ? 0 : this.#unjudgedTicks + 1;
    if (judge) for (const address of this.#sender.judge(nowMs)) this.#ask(address);
    for (let due = this.#sender.takeDueProbe(nowMs); due !== undefined; due = this.#sender.takeDueProbe(nowMs)) {
      this.#send(senderSocket, due.packet, due.target.address, due.target.port, this.#onProbeSent);
    }
    if (judge) this.#sender.checkHealth(nowMs);
    this.#holdShare(nowMs);
    if (this.#sender.takeUrgent() || nowMs >= this.#summaryDueMs) {
      this.#summaryDueMs = nowMs + this.#options.summaryIntervalMs;
      this.#onSummary(this.#sender.summaries(nowMs), this.#counts.snapshot(this.#lag.takeMaxMs()));
    }
    const tickMs = judge ? this.#tickMs() : 1;
    this.#timer = this.#clock.after(tickMs, () => this.#tick(senderSocket));
    this.#armedForMs = this.#clock.monoMs() + tickMs;
    this.#lag.armed(this.#armedForMs);
  }

  #tickMs(): number {
    const nowMs = this.#clock.monoMs();
    const plainMs = Math.min(Math.max(this.#sender.slotMs, TICK_MIN_MS), TICK_MAX_MS);
    return Math.max(TICK_LEAST_MS, Math.min(plainMs, Math.ceil(this.#sender.dueMs(nowMs) - nowMs)));
  }

  #ask(address: string): void {
    const askedAtMs = this.#clock.monoMs();
    this.#deps.askKernel?.(address, () => this.#sender.echoed(address, askedAtMs));
  }

  /** Keeps the thread within its share of a processor: all paces slow down together, and quicken again. */
  #holdShare(nowMs: number): void {
    const most = this.#settings.detection?.processorShare;
    if (most === undefined || this.#deps.processorShare === undefined || nowMs < this.#shareDueMs) return;
    this.#shareDueMs = nowMs + SHARE_PERIOD_MS;
    const share = this.#deps.processorShare();
    const before = this.#stretch;
    if (share > most) this.#stretch = Math.min(before * STRETCH_STEP, STRETCH_MAX);
    else if (share < most * STRETCH_BACK_BELOW) this.#stretch = Math.max(before / STRETCH_STEP, 1);
    if (this.#stretch !== before) this.#sender.stretch = this.#stretch;
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
