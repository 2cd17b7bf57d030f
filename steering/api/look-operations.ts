/** Operations that only look at the mesh. */
import { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { LoadLoop } from '../session/load-loop.ts';
import type { SteeringEngine } from '../steering-engine-port.ts';
import {
  demandAnswer,
  explanationAnswer,
  healthAnswer,
  linkAnswer,
  loadAnswer,
  nodeAnswer,
  pathAnswer,
  pathChangeAnswer,
  statusAnswer,
} from './api-answers.ts';
import { demandQuery, nameParams, pairParams, pathChangesQuery } from './api-inputs.ts';
import type { CoreViews } from './core-views.ts';
import { ANYBODY, LOOK, type Operation, operation } from './operation.ts';

export interface LookDeps {
  readonly views: CoreViews;
  readonly engine: SteeringEngine;
  readonly load: LoadLoop;
  readonly metrics: CoreMetrics;
}

export function lookOperations({ views, engine, load, metrics }: LookDeps): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the core works: 200, or 503 and what does not. Without a key only whether',
      answer: healthAnswer,
      need: ANYBODY,
      handle: ({ caller, reply }) => {
        const health = views.health();
        reply.status(health.ok ? 200 : 503);
        return caller.kind === 'nobody' && !caller.local ? { ok: health.ok, checks: {} } : health;
      },
    }),
    operation({
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics in the text format of Prometheus',
      answer: 'text',
      need: LOOK,
      handle: async ({ reply }) => {
        reply.type(metrics.registry.contentType);
        return await metrics.text();
      },
    }),
    operation({
      method: 'GET',
      path: '/v1/status',
      summary: 'The mesh at a glance',
      answer: statusAnswer,
      need: LOOK,
      handle: () => views.status(),
    }),
    operation({
      method: 'GET',
      path: '/v1/nodes',
      summary: 'Every node',
      answer: z.array(nodeAnswer),
      need: LOOK,
      handle: () => views.nodes(),
    }),
    operation({
      method: 'GET',
      path: '/v1/nodes/:name',
      summary: 'One node, by name or id',
      answer: nodeAnswer,
      need: LOOK,
      params: nameParams,
      handle: ({ params }) => views.node(views.find(params.name)),
    }),
    operation({
      method: 'GET',
      path: '/v1/links',
      summary: 'Every measured link, in both directions',
      answer: z.array(linkAnswer),
      need: LOOK,
      handle: () => views.links(),
    }),
    operation({
      method: 'GET',
      path: '/v1/paths',
      summary: 'The path of every ordered pair of nodes',
      answer: z.array(pathAnswer),
      need: LOOK,
      handle: () => views.paths(),
    }),
    operation({
      method: 'GET',
      path: '/v1/paths/:from/:to',
      summary: 'One path: its hops and cost, the runner-up and why it is not taken, how traffic is split',
      answer: explanationAnswer,
      need: LOOK,
      params: pairParams,
      handle: ({ params }) => {
        const [from, to] = [views.find(params.from), views.find(params.to)];
        const explanation = engine.explainPath(from.index, to.index);
        if (explanation !== undefined) return explanation;
        throw new ThalwegError('invalid_argument', `from ${from.name} to ${to.name} there is no path to explain`, {
          nextStep: 'name two different nodes',
        });
      },
    }),
    operation({
      method: 'GET',
      path: '/v1/path-changes',
      summary: 'Moves of paths since the core started, oldest first',
      answer: z.array(pathChangeAnswer),
      need: LOOK,
      query: pathChangesQuery,
      handle: ({ query }) => engine.pathChangesAfter(query.after),
    }),
    operation({
      method: 'GET',
      path: '/v1/load',
      summary: 'How full the mesh is and what load-aware steering does about it',
      answer: loadAnswer,
      need: LOOK,
      handle: () => load.view,
    }),
    operation({
      method: 'GET',
      path: '/v1/demand',
      summary: 'Who sends how much to whom, the largest pairs first, and what accesses carry',
      answer: demandAnswer,
      need: LOOK,
      query: demandQuery,
      handle: ({ query }) => views.demand(query.limit),
    }),
  ];
}
