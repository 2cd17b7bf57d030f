/**
 * Keeps a session with one of the cores for as long as the agent runs: connects, runs the session, waits, tries the
 * next address. Nothing here touches the data plane; a core that is away, lies or falls silent costs only its news.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock, Timer } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { AgentBody } from '../protocol/frame-codec.ts';
import type { HelloSchema } from '../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../protocol/log.ts';
import { Reconnect, type ReconnectOptions } from '../protocol/reconnect.ts';
import { CoreSession, type SessionEnd, type SessionListener } from './core-session.ts';
import type { OpenCoreStream } from './core-stream.ts';
import type { Credentials } from './identity.ts';

/** Spreads agents that a core sends on: it waits for a sign of the one that steers before it does. */
const STANDING_BY_MS = 250;

export type ConnectionState = 'connecting' | 'established' | 'waiting' | 'stopped';

export interface CoreConnectionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly open: OpenCoreStream;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Read at each connect, so that a renewed certificate is used. */
  readonly credentials: () => Promise<Credentials>;
  readonly hello: () => Promise<MessageInitShape<typeof HelloSchema>>;
  readonly listener: SessionListener;
  readonly onState: (state: ConnectionState) => void;
  /** A connection or session ended with this code. */
  readonly onReconnect: (reason: string) => void;
}

export interface CoreConnectionOptions {
  /** `host:port` of each core. */
  readonly addresses: readonly string[];
  readonly reconnect?: ReconnectOptions;
}

export class CoreConnection {
  readonly #deps: CoreConnectionDeps;
  readonly #options: CoreConnectionOptions;
  readonly #reconnect: Reconnect;
  #session: CoreSession | undefined;
  #stopped = false;
  #wait: { timer: Timer; done: () => void } | undefined;
  #loop: Promise<void> | undefined;

  constructor(deps: CoreConnectionDeps, options: CoreConnectionOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#reconnect = new Reconnect(options.reconnect);
  }

  get established(): boolean {
    return this.#session?.established ?? false;
  }

  /**
   * Runs until `stop` (resolves) or a refusal that needs a human (rejects with it). Called once.
   */
  async run(): Promise<void> {
    const { clock, log } = this.#deps;
    for (let attempt = 0; !this.#stopped; attempt++) {
      const address = this.#options.addresses[attempt % this.#options.addresses.length];
      if (address === undefined) throw new ThalwegError('internal', 'no core address is known');
      this.#deps.onState('connecting');
      const end = await this.#oneSession(address);
      this.#session = undefined;
      if (this.#stopped) break;
      const error = end.error ?? new ThalwegError('internal', 'the session ended without a reason');
      this.#deps.onReconnect(error.code);
      if (end.retryAfterMs === 0) {
        this.#deps.onState('stopped');
        throw error;
      }
      // Staying with a core that worked keeps its cluster balanced; the next address is tried after a failure, or when sent there.
      if (end.establishedMs > 0 && error.code !== 'standing_by') attempt--;
      // that another core steers is no failure: the next one is asked soon, and is the slower to answer the less there is one
      const delayMs =
        error.code === 'standing_by'
          ? (end.retryAfterMs ?? 0) + this.#deps.random() * STANDING_BY_MS
          : this.#reconnect.nextDelayMs(end.establishedMs, end.retryAfterMs ?? 0, this.#deps.random());
      log.warn('no session with the core', {
        address,
        code: error.code,
        reason: error.message,
        nextStep: error.nextStep,
        establishedMs: Math.round(end.establishedMs),
        retryInMs: Math.round(delayMs),
      });
      this.#deps.onState('waiting');
      await new Promise<void>((done) => {
        this.#wait = { timer: clock.after(delayMs, done), done };
      });
      this.#wait = undefined;
    }
    this.#deps.onState('stopped');
  }

  start(): Promise<void> {
    this.#loop ??= this.run();
    return this.#loop;
  }

  send(body: AgentBody): boolean {
    return this.#session?.send(body) ?? false;
  }

  /**
   * Tells the core that the data plane is to go, and resolves when the core has moved everybody's paths off this node
   * and closed the session, or after `limitMs`, or at once without a session. No other session follows.
   */
  async leave(limitMs: number): Promise<void> {
    this.#stopped = true;
    if (!this.send({ case: 'goodbye', value: { reason: 'leave' } })) return;
    const limit = new Promise<'late'>((resolve) => {
      this.#deps.clock.after(limitMs, () => resolve('late'));
    });
    const outcome = await Promise.race([this.#loop?.catch(() => {}), limit]);
    if (outcome === 'late') this.#deps.log.warn('the core has not let this node go', { limitMs });
  }

  /** Says goodbye where there is a session. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const closed = this.#session?.close();
    this.#wait?.timer.cancel();
    this.#wait?.done();
    await this.#loop?.catch(() => {});
    await closed;
  }

  async #oneSession(address: string): Promise<SessionEnd> {
    const { clock, open, credentials, hello, listener, onState, log } = this.#deps;
    try {
      const stream = await open(address, await credentials());
      if (this.#stopped) {
        await stream.close();
        return { error: undefined, retryAfterMs: undefined, establishedMs: 0 };
      }
      const session = new CoreSession(
        {
          clock,
          stream,
          listener: {
            ...bound(listener),
            onWelcome: (welcome) => {
              onState('established');
              log.info('session established', { address, coreVersion: welcome.coreVersion });
              listener.onWelcome(welcome);
            },
          },
        },
        { hello: await hello() },
      );
      this.#session = session;
      if (this.#stopped) await session.close();
      return await session.run();
    } catch (cause) {
      const error = cause instanceof ThalwegError ? cause : new ThalwegError('internal', String(cause), { cause });
      // Refused before the session began: the code says whether trying again can help.
      const final = error.code === 'node_removed';
      return { error, retryAfterMs: final ? 0 : undefined, establishedMs: 0 };
    }
  }
}

function bound(listener: SessionListener): SessionListener {
  return {
    onWelcome: (w) => listener.onWelcome(w),
    onPeerUpdate: (u) => listener.onPeerUpdate(u),
    onRouteDelta: (d) => listener.onRouteDelta(d),
    onPolicyUpdate: (u) => listener.onPolicyUpdate(u),
    onProbePlan: (p) => listener.onProbePlan(p),
    onCoreClock: (ms) => listener.onCoreClock(ms),
    onCertificate: (der) => listener.onCertificate(der),
    onTrust: (trust) => listener.onTrust(trust),
    onKeyTurn: (turn) => listener.onKeyTurn(turn),
  };
}
