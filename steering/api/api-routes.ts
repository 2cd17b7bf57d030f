/** The routes of the HTTP API (protocol/api.ts), registered on one listener with the rights of that listener. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { AuditView } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import { type ErrorCode, ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { JoinTokens } from '../identity/join-tokens.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { LoadLoop } from '../session/load-loop.ts';
import { asThalwegError } from '../session/refusal.ts';
import type { SessionHub } from '../session/session-hub.ts';
import type { SteeringEngine } from '../steering-engine-port.ts';
import type { NodeRecord, Store } from '../store/store.ts';
import {
  auditQuery,
  demandQuery,
  loadInput,
  nodeInput,
  noQuery,
  parseInput,
  pathChangesQuery,
  tokenCreateInput,
} from './api-inputs.ts';
import type { CoreViews } from './core-views.ts';

export interface ApiDeps {
  readonly views: CoreViews;
  readonly tokens: JoinTokens;
  readonly hub: SessionHub;
  readonly engine: SteeringEngine;
  readonly load: LoadLoop;
  readonly metrics: CoreMetrics;
  readonly log: Logger;
  readonly store: Pick<Store, 'audit' | 'noteAudit'>;
  readonly clock: Clock;
}

/** `full`: the local socket. `read`: TCP, where whoever reaches the port may only look. */
export type ApiRights = 'full' | 'read';

const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  unauthorized: 403,
  disk_full: 507,
  storage_failed: 503,
};

export function registerRoutes(app: FastifyInstance, deps: ApiDeps, rights: ApiRights): void {
  const { views, tokens, hub, engine, load, metrics, log, store, clock } = deps;
  const privileged = async () => {
    if (rights === 'full') return;
    throw new ThalwegError('unauthorized', 'this route is only served on the local socket', {
      nextStep: "run the command on the core's host, with --core unix:/run/thalweg/core.sock (its apiSocket)",
    });
  };
  /** Joins, removals and tokens are written with the change itself, in one commit. */
  const note = (kind: AuditView['kind'], node?: NodeRecord): void =>
    store.noteAudit({ atMs: clock.nowMs(), kind, nodeId: node?.id ?? null, name: node?.name ?? null, tokenId: null });
  const plain = async (request: FastifyRequest) => void parseInput(noQuery, request.query);

  app.setErrorHandler((cause, _request, reply) => {
    const error = errorOf(cause);
    if (error.code === 'internal') log.error('api request failed', { error: text(cause) });
    return reply.status(STATUS[error.code] ?? 500).send(error.toJSON());
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new ThalwegError('not_found', `the API has no ${request.method} ${request.url.slice(0, 200)}`, {
      nextStep: 'docs/operations.md lists its routes',
    });
    return reply.status(404).send(error.toJSON());
  });
  if (rights === 'read') app.addHook('onRequest', refuseForeignHost);

  app.get('/healthz', async (_request, reply: FastifyReply) => {
    const health = views.health();
    return reply.status(health.ok ? 200 : 503).send(health);
  });
  app.get('/metrics', async (_request, reply: FastifyReply) =>
    reply.type(metrics.registry.contentType).send(await metrics.text()),
  );
  app.get('/v1/status', { preHandler: plain }, async () => views.status());
  app.get('/v1/nodes', { preHandler: plain }, async () => views.nodes());
  app.get<{ Params: { name: string } }>('/v1/nodes/:name', { preHandler: plain }, async ({ params }) =>
    views.node(views.find(params.name)),
  );
  app.delete<{ Params: { name: string } }>('/v1/nodes/:name', { preHandler: privileged }, async ({ params }) => {
    hub.remove(views.find(params.name));
    return {};
  });
  app.post<{ Params: { name: string } }>('/v1/nodes/:name', { preHandler: privileged }, async ({ params, body }) => {
    const node = views.find(params.name);
    const { drained } = parseInput(nodeInput, body ?? {});
    hub.drained.drain(node, drained);
    note(drained ? 'node_drained' : 'node_resumed', node);
    return views.node(node);
  });
  app.get('/v1/links', { preHandler: plain }, async () => views.links());
  app.get('/v1/paths', { preHandler: plain }, async () => views.paths());
  app.get<{ Params: { from: string; to: string } }>(
    '/v1/paths/:from/:to',
    { preHandler: plain },
    async ({ params }) => {
      const [from, to] = [views.find(params.from), views.find(params.to)];
      const explanation = engine.explainPath(from.index, to.index);
      if (explanation !== undefined) return explanation;
      throw new ThalwegError('invalid_argument', `from ${from.name} to ${to.name} there is no path to explain`, {
        nextStep: 'name two different nodes',
      });
    },
  );
  app.get('/v1/path-changes', async ({ query }) => engine.pathChangesAfter(parseInput(pathChangesQuery, query).after));
  app.get('/v1/load', { preHandler: plain }, async () => load.view);
  app.post('/v1/load', { preHandler: privileged }, async ({ body }) => {
    const { aware } = parseInput(loadInput, body ?? {});
    load.setAware(aware);
    note(aware ? 'load_on' : 'load_off');
    return load.view;
  });
  app.get('/v1/demand', async ({ query }) => views.demand(parseInput(demandQuery, query).limit));
  app.get(
    '/v1/audit',
    { preHandler: privileged },
    async ({ query }): Promise<AuditView[]> => store.audit(parseInput(auditQuery, query).limit),
  );
  app.get('/v1/tokens', { preHandler: privileged }, async () => tokens.list());
  app.post('/v1/tokens', { preHandler: privileged }, async ({ body }, reply) =>
    reply.status(201).send(tokens.create(definedOnly(parseInput(tokenCreateInput, body ?? {})))),
  );
  app.delete<{ Params: { id: string } }>('/v1/tokens/:id', { preHandler: privileged }, async ({ params }) => {
    tokens.revoke(params.id.slice(0, 80));
    return {};
  });
}

/**
 * A web page may have a browser on this host ask for a name that resolves to a loopback address (DNS rebinding); then
 * the Host header holds that name. Literal addresses and localhost are all that a legitimate caller uses.
 */
async function refuseForeignHost(request: FastifyRequest): Promise<void> {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (host === 'localhost' || /^\d+\.\d+\.\d+\.\d+$/.test(host) || /^\[[0-9a-f:.]+\]$/i.test(host)) return;
  throw new ThalwegError('unauthorized', 'the Host header is not an address', {
    nextStep: 'ask by address, for example http://127.0.0.1:8471',
  });
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

/** Without keys whose value is undefined. */
function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
