/** What callers of the HTTP API may send. Unknown fields are refused, so that a typo is not silently a default. */
import { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import { TOKEN_LIMITS } from '../identity/join-tokens.ts';

const MAX_LABELS = 32;

const labels = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/, 'a label key is 1 to 63 of A-Z a-z 0-9 . _ / -'),
    z.string().regex(/^[\x20-\x7e]{0,128}$/, 'a label value is at most 128 printable ASCII characters'),
  )
  .refine((value) => Object.keys(value).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`);

export const tokenCreateInput = z.strictObject({
  labels: labels.optional(),
  expiresInS: z.int().min(TOKEN_LIMITS.minExpiresInS).max(TOKEN_LIMITS.maxExpiresInS).optional(),
  uses: z.int().min(1).max(TOKEN_LIMITS.maxUses).optional(),
});

export const pathChangesQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the seq of a change')
    .transform(Number)
    .default(0),
});

export const noQuery = z.strictObject({});

/** Checks a value against a schema. Throws invalid_argument, which names the field and the reason. */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const reason = issue?.message ?? 'it is not what is expected';
  throw new ThalwegError('invalid_argument', field === '' ? reason : `${field}: ${reason}`, {
    fields: { field },
    nextStep: 'correct the request; docs/operations.md lists what the API takes',
  });
}
