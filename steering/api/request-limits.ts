/**
 * How often somebody may ask the API over TCP: each key and each address without one a number of requests a minute, and
 * failures to show a key fewer. A flood from one caller then costs others nothing but its connections, and cannot fill the log.
 *
 * An address that shows bad keys does not lose its good ones: behind one address there may be a site, and on loopback there
 * is everybody. Keys cannot be guessed; what is bounded is work and noise.
 *
 * IPv6 addresses count by their /64. What is counted is in memory, of the callers that were last seen.
 */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';

const MINUTE_MS = 60_000;
/** Callers that each counter remembers, the last seen ones: a name and three numbers each. */
const MAX_CALLERS = 4096;

export interface LimitOptions {
  /** Of one key, and of one address without a key. */
  readonly requestsPerMinute: number;
  /** Of one address: requests without a key where one is needed, or with one that is not taken. */
  readonly failuresPerMinute: number;
}

/** Somebody who retries by hand, or a script whose key has expired, stays below it. */
export const FAILURES_PER_MINUTE = 20;

type Counter = ReturnType<FastifyInstance['createRateLimit']>;

export class RequestLimits {
  readonly #requests: Counter;
  readonly #failures: Counter;
  readonly #options: LimitOptions;
  readonly #log: Logger;

  /** Counts for one listener; call it before the listener's routes are made. */
  static async make(app: FastifyInstance, log: Logger, options: LimitOptions): Promise<RequestLimits> {
    await app.register(rateLimit, { global: false, cache: MAX_CALLERS });
    return new RequestLimits(app, log, options);
  }

  private constructor(app: FastifyInstance, log: Logger, options: LimitOptions) {
    const counter = (max: number, keyGenerator: (request: FastifyRequest) => string) =>
      app.createRateLimit({ max, timeWindow: MINUTE_MS, keyGenerator });
    this.#requests = counter(options.requestsPerMinute, callerOf);
    this.#failures = counter(options.failuresPerMinute, (request) => normalizeIP(request.ip));
    this.#options = options;
    this.#log = log;
  }

  /** Counts a request whose caller is known. Throws rate_limited when it is one too many. */
  async count(request: FastifyRequest): Promise<void> {
    const { requestsPerMinute } = this.#options;
    const what = request.caller?.kind === 'key' ? `API key ${request.caller.key.id}` : 'this address, without a key,';
    const error = await this.#take(
      this.#requests,
      request,
      'too_many_requests',
      () => `${what} made more than ${requestsPerMinute} requests within a minute`,
    );
    if (error !== undefined) throw error;
  }

  /** Counts a request that showed no key, or none that is taken. The error to answer with: `refusal`, or rate_limited. */
  async countFailure(request: FastifyRequest, refusal: ThalwegError): Promise<ThalwegError> {
    const { failuresPerMinute } = this.#options;
    const error = await this.#take(
      this.#failures,
      request,
      'too_many_failures',
      () => `this address failed more than ${failuresPerMinute} times within a minute to show a good API key`,
    );
    return error ?? refusal;
  }

  async #take(
    counter: Counter,
    request: FastifyRequest,
    reason: 'too_many_requests' | 'too_many_failures',
    message: () => string,
  ): Promise<ThalwegError | undefined> {
    const count = await counter(request);
    if (count.isAllowed) return undefined;
    if (!count.isExceeded) {
      // Once in a minute: those that are one too many are counted, not logged.
      if (count.remaining === 0) {
        const keyId = request.caller?.kind === 'key' ? request.caller.key.id : null;
        this.#log.warn('api caller is at its limit', { reason, keyId, remoteAddress: request.ip });
      }
      return undefined;
    }
    const retryAfterS = Math.max(1, count.ttlInSeconds);
    return new ThalwegError('rate_limited', message(), {
      fields: { reason, retryAfterS },
      nextStep: `ask again in ${retryAfterS} s, and less often`,
    });
  }
}

function callerOf(request: FastifyRequest): string {
  const { caller } = request;
  return caller?.kind === 'key' ? `key ${caller.key.id}` : normalizeIP(request.ip);
}
