/** The OpenAPI document: valid, of all routes that there are, and true of what a real core answers. */
import { Validator } from '@seriousme/openapi-schema-validator';
import fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { LinkHealth } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { apiOperations, type OperationDeps } from '../../../steering/api/api-operations.ts';
import { type ApiDeps, registerRoutes } from '../../../steering/api/api-routes.ts';
import { type OpenApiDocument, openApiDocument } from '../../../steering/api/open-api.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

/** Nothing behind the routes is asked. */
const NO_DEPS = {} as unknown as OperationDeps;
const operations = apiOperations(NO_DEPS);
const document = openApiDocument(operations);

/** All references of a document, or a part of one. */
function references(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === '$ref' && typeof value === 'string' ? [value] : references(value),
  );
}

describe('the document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('would not be with a mistake in it', async () => {
    const broken = structuredClone(document) as unknown as { paths: Record<string, { get: { responses: unknown } }> };
    for (const path of Object.values(broken.paths)) if (path.get !== undefined) path.get.responses = 'none';
    expect((await new Validator().validate(broken as unknown as Record<string, unknown>)).valid).toBe(false);
  });

  it('describes every route that is registered, and no other', async () => {
    const registered: string[] = [];
    const app = fastify();
    app.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat())
        if (one !== 'HEAD') registered.push(`${one} ${url.replace(/:(\w+)/g, '{$1}')}`);
    });
    registerRoutes(app, {} as unknown as ApiDeps, { kind: 'socket' }, null);
    await app.ready();
    await app.close();
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(registered.toSorted());
    expect(described.length).toBeGreaterThan(20);
  });

  it('says of each operation what it is for, who may ask, and by what name', () => {
    const all = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    for (const operation of all) {
      expect(String(operation['summary']).length, JSON.stringify(operation)).toBeGreaterThan(7);
      expect(operation['description']).toMatch(/^Who may ask: /);
    }
    const ids = all.map((operation) => operation['operationId']);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('getPathsByFromByTo');
  });

  it('wants a key for every change, and an admin for keys, the CA and the end of a node', () => {
    const changes = operations.filter(({ method }) => method !== 'GET');
    for (const { method, path, need } of changes) {
      expect(need.keyless, `${method} ${path}`).toBe('nobody');
      const isGrave =
        path.startsWith('/v1/keys') || path.startsWith('/v1/ca') || `${method} ${path}` === 'DELETE /v1/nodes/:name';
      if (isGrave) expect(need.role, `${method} ${path}`).toBe('admin');
    }
    expect(changes.length).toBeGreaterThan(6);
    const secrets = operations.filter(({ path }) => /^\/v1\/(keys|tokens|audit)/.test(path));
    expect(secrets.map(({ need }) => need.keyless)).toEqual(secrets.map(() => 'nobody'));
  });

  it('refers only to what is in it', () => {
    const found = new Set(references(document));
    expect(found.size).toBeGreaterThan(10);
    const { schemas } = document.components as { schemas: Record<string, unknown> };
    for (const reference of found) expect(schemas).toHaveProperty(reference.replace('#/components/schemas/', ''));
  });

  it('has what requests are checked with: ranges, patterns, choices, defaults', () => {
    const body = (path: string) => {
      const body = document.paths[path]?.['post']?.['requestBody'];
      return (body as { content: Record<string, { schema: unknown }> } | undefined)?.content['application/json']
        ?.schema;
    };
    expect(body('/v1/tokens')).toMatchObject({
      additionalProperties: false,
      properties: { uses: { type: 'integer', minimum: 1, maximum: 100_000 } },
    });
    expect(body('/v1/keys')).toMatchObject({
      required: ['role'],
      properties: { role: { enum: ['viewer', 'operator', 'admin'] }, name: { pattern: '^[A-Za-z0-9._@-]{1,64}$' } },
    });
    expect(document.paths['/v1/audit']?.['get']?.['parameters']).toEqual([
      {
        name: 'limit',
        in: 'query',
        required: false,
        schema: { type: 'string', pattern: '^\\d{1,5}$', default: '100' },
      },
    ]);
    expect(document.paths['/v1/nodes/{name}']?.['delete']).toMatchObject({
      'x-thalweg-role': 'admin',
      security: [{ apiKey: [] }],
      parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
    });
    expect(document.paths['/v1/nodes']?.['get']?.['security']).toEqual([{}, { apiKey: [] }]);
  });
});

describe('a real core', () => {
  let core: TestCore;
  beforeAll(async () => {
    core = await new TestCore({ hasRealEngine: true }).start();
    const agents = await Promise.all(['a', 'b'].map(async (name) => (await core.agent(name)).open({ turnsKey: true })));
    for (const [i, session] of agents.entries()) {
      const link = { peerIndex: 2 - i, health: LinkHealth.UP, rttUs: 5000, jitterUs: 10, lossOutPpm: 100, samples: 5 };
      session.send({ case: 'linkReport', value: { links: [link] } });
    }
    await eventually('a path', async () =>
      (await core.api.get<{ kind: string }[]>('/v1/paths')).some(({ kind }) => kind === 'direct'),
    );
  });
  afterAll(async () => core.stop());

  const asked = operations
    .filter(({ method, answer }) => method === 'GET' && answer !== 'text')
    .map(({ path, answer }) => [path.replace(':name', 'a').replace(':from', 'a').replace(':to', 'b'), answer] as const);

  it.each(asked)('answers GET %s as described, with no field more', async (path, answer) => {
    const value = await core.api.get<unknown>(path);
    expect((answer as z.ZodType).parse(value)).toEqual(value);
    if (Array.isArray(value) && path !== '/v1/path-changes' && path !== '/v1/keys') expect(value).not.toEqual([]);
  });

  it('answers changes as described, with no field more', async () => {
    const bodies: Record<string, unknown> = {
      'POST /v1/nodes/:name': { drained: true },
      'POST /v1/load': { aware: false },
      'POST /v1/nodes/:name/key': {},
      'POST /v1/ca': { action: 'rotate' },
      'POST /v1/policy': { text: 'allow any -> any icmp' },
      'POST /v1/policy/test': { from: 'any', to: 'a', service: 'icmp' },
      'POST /v1/tokens': {},
      'POST /v1/keys': { role: 'viewer' },
    };
    const changes = operations.filter(({ method }) => method === 'POST');
    expect(changes.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(Object.keys(bodies).toSorted());
    for (const { method, path, answer } of changes) {
      const value = await core.api.post<unknown>(path.replace(':name', 'a'), bodies[`${method} ${path}`]);
      expect((answer as z.ZodType).parse(value), path).toEqual(value);
    }
  });

  it('serves the document to whoever may look, and errors as it says', async () => {
    const served = await core.readApi.get<OpenApiDocument>('/v1/openapi.json');
    expect(served).toEqual(JSON.parse(JSON.stringify(document)));
    const refused = await fetch(`http://127.0.0.1:${core.running?.ports.api}/v1/keys`);
    const { errorAnswer } = await import('../../../steering/api/api-answers.ts');
    const error = await refused.json();
    expect(errorAnswer.parse(error)).toEqual(error);
  });
});
