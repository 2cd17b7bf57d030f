/**
 * The OpenAPI document of the HTTP API (https://spec.openapis.org/oas/v3.1.0), made from the operations themselves: their
 * paths, who may ask, and the schemas that requests are checked with. Pure.
 */
import { z } from 'zod';
import { SOFTWARE_VERSION } from '../../protocol/version.ts';
import { errorAnswer, named } from './api-answers.ts';
import { noBody } from './api-inputs.ts';
import type { Operation } from './operation.ts';

type Json = { [key: string]: unknown };

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Record<string, Record<string, Json>>;
  readonly components: Json;
}

const TOO_MANY = 'Too many requests: wait for as many seconds as Retry-After says';

export function openApiDocument(operations: readonly Operation[]): OpenApiDocument {
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Thalweg core',
      version: SOFTWARE_VERSION,
      description:
        'A role in `x-thalweg-role` is the least that an API key needs. The local socket needs no key. Answers may get more fields.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: `thalweg key create`' },
      },
    },
  };
}

/** `GET /v1/nodes/:name` to `getNodesByName`: what generated clients call it. */
export function operationId({ method, path }: Pick<Operation, 'method' | 'path'>): string {
  const words = path.split('/').filter((word) => word !== '' && word !== 'v1');
  const parts = words.map((word) => (word.startsWith(':') ? `-by-${word.slice(1)}` : `-${word}`)).join('');
  return method.toLowerCase() + parts.replace(/[-.]+(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function describe(operation: Operation): Json {
  const { summary, need, params, query, body, answer, status } = operation;
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  const takesBody = body !== noBody;
  const key = { apiKey: [] };
  const who = {
    everybody: 'nobody needs a key',
    local: `role ${need.role}; over loopback none unless the core says otherwise`,
    nobody: `role ${need.role}`,
  };
  return {
    operationId: operationId(operation),
    summary,
    description: `Who may ask: ${who[need.keyless]}.`,
    'x-thalweg-role': need.role,
    security: need.keyless === 'nobody' ? [key] : [{}, key],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(takesBody ? { requestBody: { required: true, content: json(schemaOf(body)) } } : {}),
    responses: {
      [status]: {
        description: summary,
        content: answer === 'text' ? { 'text/plain': { schema: { type: 'string' } } } : json(schemaOf(answer)),
      },
      ...(operation.path === '/healthz'
        ? { 503: { description: 'A check fails', content: json(schemaOf(answer as z.ZodType)) } }
        : {}),
      ...(parameters.length > 0 || takesBody ? { 400: failure('The request is not what is expected') } : {}),
      ...(need.keyless === 'everybody'
        ? {}
        : { 401: failure('There is no key, or it is not taken'), 403: failure('The role of the key is too small') }),
      ...(operation.path.includes(':') ? { 404: failure('There is nothing of that name') } : {}),
      429: {
        ...failure(TOO_MANY),
        headers: { 'Retry-After': { description: 'seconds', schema: { type: 'integer' } } },
      },
      default: failure('Anything else that went wrong'),
    },
  };
}

function failure(description: string): Json {
  return { description, content: json(schemaOf(errorAnswer)) };
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function parametersOf(schema: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {} } = plainSchema(schema) as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: place, required: place === 'path', schema }));
}

/** A reference where the schema, or what an array holds, has a name. */
function schemaOf(schema: z.ZodType): Json {
  const name = named.get(schema)?.id;
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
  if (schema instanceof z.ZodArray) return { type: 'array', items: schemaOf(schema.element as z.ZodType) };
  return plainSchema(schema);
}

/** `input`: what may be sent, and of answers that more fields may come. */
function plainSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', metadata: named });
  return rest;
}

function namedSchemas(): Json {
  const { schemas } = z.toJSONSchema(named, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  });
  const bare = Object.entries(schemas).map(([id, { $schema: _, $id: __, id: ___, ...schema }]) => [id, schema]);
  return Object.fromEntries(bare);
}
