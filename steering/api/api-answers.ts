/**
 * What the HTTP API answers, as schemas: the OpenAPI document is made from them. Their types are those of protocol/api.ts,
 * which the compiler checks; that real answers fit, a test. Nothing is checked against them at run time.
 */
import { z } from 'zod';
import {
  type AccessSideView,
  type AccessView,
  API_ROLES,
  AUDIT_KINDS,
  type AuditView,
  type CaView,
  type CostTerms,
  type DemandView,
  type HealthView,
  type KeyCreated,
  type KeyView,
  type LinkView,
  type LoadView,
  type NodeView,
  type PathChange,
  type PathExplanation,
  type PathSplit,
  type PathView,
  type StatusView,
  type TokenCreated,
  type TokenView,
} from '../../protocol/api.ts';
import { ERROR_CODES, type ErrorObject } from '../../protocol/error.ts';
import { nodePolicyShape, policySummaryShape } from './policy-answers.ts';

/** Schemas that have a name in the document. */
export const named = z.registry<{ readonly id: string; readonly description?: string }>();

const text = z.string();
const names = z.array(z.string());
const count = z.int();
const timeMs = z.int().describe('milliseconds since 1970 (UTC)');
const us = z.number().describe('microseconds');
const bps = z.number().describe('bits per second');
const share = z.number().describe('of 1');
const labels = z.record(z.string(), z.string());

export const errorAnswer: z.ZodType<ErrorObject> = z
  .object({
    code: z.enum(ERROR_CODES),
    message: text.describe('names the field and the value'),
    nextStep: z.string().describe('what to do now').exactOptional(),
    fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).exactOptional(),
  })
  .register(named, { id: 'Error' });

const cost: z.ZodType<CostTerms> = z
  .object({ rttUs: us, lossUs: us, jitterUs: us, loadUs: us, transitUs: us, totalUs: us })
  .register(named, { id: 'CostTerms', description: 'Terms of a cost and their sum, in microseconds' });

export const healthAnswer: z.ZodType<HealthView> = z
  .object({ ok: z.boolean(), checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: text })) })
  .register(named, { id: 'Health' });

export const statusAnswer: z.ZodType<StatusView> = z
  .object({
    version: text,
    startedAtMs: timeMs,
    nodes: z.object({ total: count, online: count, transit: count }),
    links: z.object({ up: count, down: count, unmeasured: count }),
    paths: z.object({ direct: count, detour: count, unreachable: count }),
    generation: text,
    converged: count.describe('nodes whose acknowledged table is the newest the core has for them'),
    addressPlan: z.object({ tunnel: text, node4: text, node6: text }),
    agentAddresses: names,
    policy: policySummaryShape,
  })
  .register(named, { id: 'Status' });

export const nodeAnswer: z.ZodType<NodeView> = z
  .object({
    id: text,
    name: text,
    index: count,
    publicKey: text,
    tunnelAddress: text,
    node4: text,
    node6: text,
    labels,
    transit: z.boolean(),
    drained: z.boolean(),
    home: text.nullable(),
    leaves: count.nullable(),
    leafCapacity: count.nullable(),
    online: z.boolean(),
    joinedAtMs: timeMs,
    sinceMs: timeMs,
    endpoints: names,
    software: text.nullable(),
    wireguardBackend: text.nullable(),
    tableGeneration: text,
    wantedGeneration: text,
    clockSkewMs: z.number().nullable(),
    policy: nodePolicyShape.nullable(),
    certificateExpiresAtMs: timeMs.nullable(),
  })
  .register(named, { id: 'Node' });

export const linkAnswer: z.ZodType<LinkView> = z
  .object({
    from: text,
    to: text,
    role: z.enum(['planned', 'leaving', 'draining', 'exploring']),
    health: z.enum(['up', 'down', 'unmeasured']),
    rttUs: us.nullable(),
    minRttUs: us.nullable(),
    jitterUs: us.nullable(),
    lossOutPpm: z.number().nullable(),
    lossInPpm: z.number().nullable(),
    handshakeAgeS: z.number().nullable(),
    cost: cost.nullable(),
    updatedAtMs: timeMs.nullable(),
    demandBps: bps.nullable(),
    carriedBps: bps.nullable(),
    capacityBps: bps.nullable(),
    utilisation: share.nullable(),
  })
  .register(named, { id: 'Link' });

export const loadAnswer: z.ZodType<LoadView> = z
  .object({
    aware: z.boolean(),
    state: z.enum(['calm', 'spread']),
    highestUtilisation: share.nullable(),
    latencyUtilisation: share.nullable(),
    lowerBound: share.nullable(),
    decidedAtMs: timeMs.nullable(),
    changes: count,
    maxNodes: count,
  })
  .register(named, { id: 'Load' });

const split: z.ZodType<PathSplit> = z
  .object({
    demandBps: bps,
    loadAware: z.boolean(),
    members: z.array(
      z.object({
        path: names,
        share,
        cost: cost.nullable(),
        utilisation: share.nullable(),
        limit: text.nullable(),
      }),
    ),
    atTwice: z.object({
      utilisation: share.nullable(),
      limit: text.nullable(),
      fitting: share.nullable(),
      steeredUtilisation: share.nullable(),
    }),
  })
  .register(named, { id: 'PathSplit' });

const accessSide: z.ZodType<AccessSideView> = z
  .object({
    capacityBps: bps.nullable(),
    source: z.enum(['configured', 'learned', 'unknown']),
    carriedBps: bps,
    utilisation: share.nullable(),
  })
  .register(named, { id: 'AccessSide' });

const access: z.ZodType<AccessView> = z
  .object({ node: text, uplink: accessSide, downlink: accessSide })
  .register(named, { id: 'Access' });

export const demandAnswer: z.ZodType<DemandView> = z
  .object({
    totalBps: bps,
    pairCount: count,
    pairs: z.array(z.object({ from: text, to: text, bps })),
    others: z.array(z.object({ from: text, bps })),
    refused: count,
    access: z.array(access),
  })
  .register(named, { id: 'Demand' });

const pathShape = {
  from: text,
  to: text,
  path: names,
  kind: z.enum(['direct', 'detour', 'unreachable']),
  rttUs: us.nullable(),
  directRttUs: us.nullable(),
  cost: cost.nullable(),
  sinceMs: timeMs,
  reason: text,
  installed: z.boolean(),
};

export const pathAnswer: z.ZodType<PathView> = z.object(pathShape).register(named, { id: 'Path' });

export const pathChangeAnswer: z.ZodType<PathChange> = z
  .object({
    seq: count,
    atMs: timeMs,
    from: text,
    to: text,
    before: names,
    after: names,
    reason: z.enum([
      'first_path',
      'better_path',
      'load',
      'link_degraded',
      'link_recovered',
      'link_down',
      'node_joined',
      'node_left',
      'unreachable',
    ]),
    detail: text,
    beforeCostUs: us.nullable(),
    afterCostUs: us.nullable(),
  })
  .register(named, { id: 'PathChange' });

export const explanationAnswer: z.ZodType<PathExplanation> = z
  .object({
    ...pathShape,
    hops: z.array(z.object({ from: text, to: text, cost })),
    runnerUp: z.object({ path: names, cost, behindUs: us, whyNot: text }).nullable(),
    split: split.nullable(),
    recentChanges: z.array(pathChangeAnswer),
  })
  .register(named, { id: 'PathExplanation' });

export const caAnswer: z.ZodType<CaView> = z
  .object({
    fingerprint: text.describe('SHA-256 over the DER of the CA, 64 hex digits'),
    expiresAtMs: timeMs,
    rotation: z
      .object({
        fingerprint: text.describe('of the CA that follows'),
        startedAtMs: timeMs,
        moved: count.describe('nodes whose certificate is of it'),
        waiting: count.describe('nodes that are online and have not moved'),
        away: count.describe('nodes that are offline and have not moved'),
        names: names.describe('of these, up to 100'),
        lastEndsAtMs: timeMs.describe('when the last of their certificates is good for nothing any more'),
      })
      .nullable(),
  })
  .register(named, { id: 'Ca' });

export const auditAnswer: z.ZodType<AuditView> = z
  .object({
    atMs: timeMs,
    kind: z.enum(AUDIT_KINDS),
    nodeId: text.nullable(),
    name: text.nullable(),
    tokenId: text.nullable(),
    keyId: text.nullable(),
    by: text.nullable().describe('socket, key:NAME:ID, device, host or core; null: it was done before this was kept'),
    detail: text.exactOptional(),
  })
  .register(named, { id: 'AuditEntry' });

const tokenShape = {
  id: text,
  createdAtMs: timeMs,
  expiresAtMs: timeMs,
  uses: count,
  used: count,
  revoked: z.boolean(),
  state: z.enum(['valid', 'expired', 'used_up', 'revoked']),
  labels,
};

export const tokenAnswer: z.ZodType<TokenView> = z.object(tokenShape).register(named, { id: 'Token' });
export const tokenCreatedAnswer: z.ZodType<TokenCreated> = z
  .object({ ...tokenShape, token: text.describe('the token itself: shown only now') })
  .register(named, { id: 'TokenCreated' });

const keyShape = {
  id: text,
  name: text,
  role: z.enum(API_ROLES),
  createdAtMs: timeMs,
  expiresAtMs: timeMs.nullable().describe('null: never'),
  lastUsedAtMs: timeMs.nullable().describe('to about ten minutes; null: never'),
  state: z.enum(['valid', 'expired', 'revoked']),
};

export const keyAnswer: z.ZodType<KeyView> = z.object(keyShape).register(named, { id: 'ApiKey' });
export const keyCreatedAnswer: z.ZodType<KeyCreated> = z
  .object({ ...keyShape, key: text.describe('the key itself: shown only now') })
  .register(named, { id: 'ApiKeyCreated' });

/** Of what was done and has nothing more to say. */
export const doneAnswer: z.ZodType<Record<string, never>> = z.record(z.string(), z.never());
