/** The routes of the HTTP API on one listener: who asks is settled before anything of a request is read or done. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { ApiKeys } from '../identity/api-keys.ts';
import type { CoreMetrics } from '../metrics.ts';
import { asThalwegError } from '../session/refusal.ts';
import { type ApiListener, type ApiNeed, actorOf, type Caller, identifyCaller, permit } from './api-access.ts';
import { parseInput } from './api-inputs.ts';
import { apiOperations, type OperationDeps } from './api-operations.ts';
import { LOOK, type Operation } from './operation.ts';
import type { RequestLimits } from './request-limits.ts';

export interface ApiDeps extends OperationDeps {
  readonly keys: ApiKeys;
  readonly metrics: CoreMetrics;
  readonly log: Logger;
  /** Why this core does not do what is asked for; undefined: it does. */
  readonly refusal?: (path: string, method: string) => ThalwegError | undefined;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined until the key was looked at. */
    caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    need?: ApiNeed;
  }
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  unauthorized: 403,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  rate_limited: 429,
  disk_full: 507,
  storage_failed: 503,
};

/** Of what a caller made up, in logs and errors. */
const MAX_URL_CHARACTERS = 200;

/** `limits`: null on the local socket, whose callers may do everything anyway. */
export function registerRoutes(
  app: FastifyInstance,
  deps: ApiDeps,
  listener: ApiListener,
  limits: RequestLimits | null,
): void {
  const { keys, log, metrics } = deps;
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', async (request, reply) => {
    // Answers hold secrets that were just made, and a mesh that changes.
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    try {
      request.caller = identifyCaller(listener, request.headers, (key) => keys.authenticate(key));
      await limits?.count(request);
      permit(request.caller, request.routeOptions.config.need ?? LOOK);
    } catch (cause) {
      if (!(cause instanceof ThalwegError)) throw cause;
      const failed = cause.code === 'unauthenticated' && limits !== null;
      const error = failed ? await limits.countFailure(request, cause) : cause;
      refused(error, request, reply, log, metrics);
      throw error;
    }
  });
  app.addHook('preHandler', async (request) => {
    const refusal = deps.refusal?.(request.url.split('?', 1)[0] ?? '', request.method);
    if (refusal !== undefined) throw refusal;
  });
  app.addHook('onResponse', async (request, reply) => {
    if (!isChange(request) || reply.statusCode >= 400 || request.caller === undefined) return;
    // Beside the audit: logs are what is sent on to elsewhere as things happen.
    log.info('api change', {
      by: actorOf(request.caller),
      method: request.method,
      url: request.url.slice(0, MAX_URL_CHARACTERS),
      remoteAddress: request.ip ?? null,
    });
  });
  app.setErrorHandler((cause, _request, reply) => {
    const error = errorOf(cause);
    if (error.code === 'internal') log.error('api request failed', { error: text(cause) });
    return reply.status(STATUS[error.code] ?? 500).send(error.toJSON());
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new ThalwegError(
      'not_found',
      `the API has no ${request.method} ${request.url.slice(0, MAX_URL_CHARACTERS)}`,
      {
        nextStep: '/v1/openapi.json lists its routes',
      },
    );
    return reply.status(404).send(error.toJSON());
  });
  for (const one of apiOperations(deps)) register(app, one);
}

function register(app: FastifyInstance, one: Operation): void {
  const { method, path: url, need, params, query, body, status, maxBodyBytes } = one;
  app.route({
    ...(maxBodyBytes === undefined ? {} : { bodyLimit: maxBodyBytes }),
    method,
    url,
    config: { need },
    handler: async (request, reply) => {
      const caller = request.caller ?? { kind: 'nobody', local: false };
      reply.status(status);
      return await one.handle({
        params: parseInput(params, request.params),
        query: parseInput(query, request.query),
        body: parseInput(body, request.body ?? {}),
        caller,
        by: actorOf(caller),
        reply,
      });
    },
  });
}

/** What viewers may do changes nothing, whatever its method. */
function isChange({ method, routeOptions }: FastifyRequest): boolean {
  const { need } = routeOptions.config;
  return method !== 'GET' && method !== 'HEAD' && need !== undefined && need.role !== 'viewer';
}

/** Counts and logs it. The key itself is in neither; its id is no secret. */
function refused(
  error: ThalwegError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Logger,
  metrics: CoreMetrics,
): void {
  const { reason = error.code, keyId = null } = error.fields;
  metrics.apiRefusals.inc({ reason: String(reason) });
  if (error.code === 'rate_limited') {
    reply.header('retry-after', String(error.fields['retryAfterS']));
    return;
  }
  log.warn('api request refused', {
    reason,
    keyId,
    remoteAddress: request.ip,
    method: request.method,
    route: request.routeOptions.url ?? null,
  });
  // RFC 6750 section 3
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="thalweg"');
}

/** What was thrown by a route, or by fastify itself before one (malformed JSON, a body too large). */
function errorOf(cause: unknown): ThalwegError {
  if (cause instanceof ThalwegError) return cause;
  const { statusCode } = (cause ?? {}) as { statusCode?: unknown };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new ThalwegError('invalid_argument', text(cause), { nextStep: 'correct the request' });
  }
  return asThalwegError(cause);
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
