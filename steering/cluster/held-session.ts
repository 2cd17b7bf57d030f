/** One agent's session at a holder, and what of it the solver is to hear. */
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { encodeAgentFrame } from '../../protocol/frame-codec.ts';
import type { Hello } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { AgentSession } from '../session/agent-session.ts';
import type { OpenBody, SessionOwner } from '../session/node-session.ts';
import { FrameBudget } from './frame-budget.ts';
import type { HolderBody } from './relay-message.ts';
import { SessionStanding } from './session-standing.ts';

/** A clock is told again when it has moved by this: far less than anybody acts on. */
const SKEW_STEP_MS = 100;

export class HeldSession {
  readonly session: AgentSession;
  /** Of this holder's, never given twice. */
  readonly number: number;
  readonly standing: SessionStanding;
  /** To the solver of now. */
  state: 'unknown' | 'announced' | 'welcomed' = 'unknown';
  readonly #clock: Clock;
  readonly #budget: FrameBudget;
  #toldSkewMs = 0;

  constructor(session: AgentSession, number: number, hello: Hello, clock: Clock) {
    this.session = session;
    this.number = number;
    this.standing = new SessionStanding(hello, clock.nowMs());
    this.#clock = clock;
    this.#budget = new FrameBudget(clock.monoMs());
  }

  /** What tells the solver of it; the first record of a session on a link. */
  announcement(): HolderBody {
    const { nodeId, index, serial, remoteAddress } = this.session.options;
    const hello = encodeAgentFrame(0n, { case: 'hello', value: this.standing.hello(this.#clock.nowMs()) });
    this.state = 'announced';
    this.#toldSkewMs = this.standing.skewMs;
    const { epoch } = this.session;
    return { case: 'opened', value: { nodeId, index, serial, remoteAddress: remoteAddress ?? '', epoch, hello } };
  }

  /** The agent said this; undefined: the solver hears of it later. Throws overloaded when it says too much. */
  heard(body: OpenBody): HolderBody | undefined {
    const bytes = encodeAgentFrame(0n, body);
    if (!this.#budget.take(bytes.length, this.#clock.monoMs())) {
      throw new ThalwegError('overloaded', 'more frames than one agent may send');
    }
    this.standing.heard(body);
    return this.state === 'welcomed' ? { case: 'frame', value: bytes } : undefined;
  }

  /** A heartbeat came; undefined: that is no news. */
  skewed(skewMs: number): HolderBody | undefined {
    this.standing.clockSkew(skewMs);
    const isNews = this.state === 'welcomed' && Math.abs(skewMs - this.#toldSkewMs) >= SKEW_STEP_MS;
    if (!isNews || !this.#budget.take(0, this.#clock.monoMs())) return undefined;
    this.#toldSkewMs = skewMs;
    return { case: 'clockSkewMs', value: BigInt(Math.round(skewMs)) };
  }

  /** The solver has welcomed it: what it says next. */
  *welcomed(epoch: bigint): Generator<HolderBody> {
    this.state = 'welcomed';
    this.session.epoch = epoch;
    for (const news of this.standing.news()) yield { case: 'frame', value: encodeAgentFrame(0n, news) };
  }

  /** From now on `owner` has it, and is told what a solver would be told. */
  giveTo(owner: SessionOwner): void {
    const { session, standing } = this;
    const attempt = (work: () => void) => {
      try {
        work();
      } catch (cause) {
        session.fail(cause);
      }
    };
    session.adopt(owner, () =>
      attempt(() => {
        for (const news of standing.news()) if (session.isOpen) owner.frame(session, news);
      }),
    );
    attempt(() => owner.hello(session, standing.hello(this.#clock.nowMs())));
  }
}
