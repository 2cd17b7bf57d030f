/** What callers of the HTTP API may send. Unknown fields are refused, so that a typo is not silently a default. */
import { z } from 'zod';
import { API_ROLES, KEY_LIMITS, TOKEN_LIMITS } from '../../protocol/api.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { MAX_POLICY_BYTES } from '../policy/policy-text.ts';
import { MAX_LABELS } from '../registry/label-change.ts';

function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.int(message).min(least, message).max(most, message);
}

const labelKey = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'a label key is 1 to 63 of A-Z a-z 0-9 . _ / -');
const labelValue = z.string().regex(/^[\x20-\x7e]{0,128}$/, 'a label value is at most 128 printable ASCII characters');

const labels = z
  .record(labelKey, labelValue)
  .refine((value) => Object.keys(value).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`);

export const tokenCreateInput = z.strictObject({
  labels: labels.optional(),
  expiresInS: wholeNumber(TOKEN_LIMITS.minExpiresInS, TOKEN_LIMITS.maxExpiresInS).optional(),
  uses: wholeNumber(1, TOKEN_LIMITS.maxUses).optional(),
});

export const keyCreateInput = z.strictObject({
  role: z.enum(API_ROLES, `must be one of ${API_ROLES.join(', ')}`),
  name: z
    .string()
    .regex(/^[A-Za-z0-9._@-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 . _ @ -')
    .optional(),
  expiresInS: wholeNumber(KEY_LIMITS.minExpiresInS, KEY_LIMITS.maxExpiresInS).nullable().optional(),
});

export const pathChangesQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the seq of a change')
    .default('0')
    .transform(Number),
});

export const demandQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,6}$/, 'must be a whole number')
    .default('1000')
    .transform(Number),
});

export const auditQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number')
    .default('100')
    .transform(Number),
});

export const nodeInput = z
  .strictObject({
    drained: z.boolean().optional(),
    labels: z.record(labelKey, labelValue.nullable()).optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'drained or labels is needed');

const policyText = z.string().max(MAX_POLICY_BYTES, `a policy is at most ${MAX_POLICY_BYTES} characters`);

export const policyApplyInput = z.strictObject({ text: policyText, dryRun: z.boolean().default(false) });

const policyWord = z.string().max(4096, 'at most 4096 characters');

export const policyTestInput = z.strictObject({
  from: policyWord,
  to: policyWord,
  service: policyWord,
  text: policyText.optional(),
});

export const caInput = z.strictObject({
  action: z.enum(['rotate', 'finish']),
  /** End the overlap although nodes have to join again. */
  force: z.boolean().default(false),
});

export const loadInput = z.strictObject({ aware: z.boolean() });

/** Path parameters are only looked up; what is longer names nothing. */
const named = z.string().transform((text) => text.slice(0, 80));
export const nameParams = z.object({ name: named });
export const idParams = z.object({ id: named });
export const pairParams = z.object({ from: named, to: named });

export const noQuery = z.strictObject({});
export const noParams = z.object({});
/** What a GET or DELETE carries is not looked at. */
export const noBody = z.unknown();

/** Checks a value against a schema. Throws invalid_argument, which names the field and the reason. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first] = result.error.issues;
  // What is wrong with a key stands below the issue of its record.
  const issue =
    first?.code === 'invalid_key' ? { ...first, message: first.issues[0]?.message ?? first.message } : first;
  const field = issue?.path.join('.') ?? '';
  const reason = issue?.message ?? 'it is not what is expected';
  throw new ThalwegError('invalid_argument', field === '' ? reason : `${field}: ${reason}`, {
    fields: { field },
    nextStep: 'correct the request; /v1/openapi.json lists what the API takes',
  });
}
