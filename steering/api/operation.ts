/** One operation of the HTTP API: what it takes, who may ask, and what it does. Routes are made from these. */
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Actor } from '../store/store.ts';
import type { ApiNeed, Caller } from './api-access.ts';
import { noBody, noParams, noQuery } from './api-inputs.ts';

export interface OperationInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  /** The caller, as the audit writes it. */
  readonly by: Actor;
  /** For another status or content type than usual. */
  readonly reply: FastifyReply;
}

interface Declared<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `/v1/nodes/:name` */
  readonly path: string;
  /** What it is for: one line without a full stop. */
  readonly summary: string;
  readonly need: ApiNeed;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** What success answers, for the OpenAPI document. */
  readonly answer: z.ZodType | 'text';
  /** Where more may be sent than to others. */
  readonly maxBodyBytes?: number;
  /** Of success; default 200. */
  readonly status?: 201;
  handle(input: OperationInput<z.output<P>, z.output<Q>, z.output<B>>): unknown;
}

export type Operation = Required<
  Omit<Declared<z.ZodType, z.ZodType, z.ZodType>, 'status' | 'handle' | 'maxBodyBytes'>
> & {
  readonly maxBodyBytes?: number;
  readonly status: 200 | 201;
  handle(input: OperationInput<unknown, unknown, unknown>): unknown;
};

/** Ties what is handled to what the schemas let through. */
export function operation<
  P extends z.ZodType = typeof noParams,
  Q extends z.ZodType = typeof noQuery,
  B extends z.ZodType = typeof noBody,
>(declared: Declared<P, Q, B>): Operation {
  const schemas = { params: noParams, query: noQuery, body: noBody };
  // Only what its own schemas let through reaches `handle`.
  return { ...schemas, status: 200, ...declared } as unknown as Operation;
}

/** Looking at the mesh: open to this host's processes without a key. */
export const LOOK: ApiNeed = { role: 'viewer', keyless: 'local' };
export const VIEWER: ApiNeed = { role: 'viewer', keyless: 'nobody' };
export const OPERATOR: ApiNeed = { role: 'operator', keyless: 'nobody' };
export const ADMIN: ApiNeed = { role: 'admin', keyless: 'nobody' };
export const ANYBODY: ApiNeed = { role: 'viewer', keyless: 'everybody' };
