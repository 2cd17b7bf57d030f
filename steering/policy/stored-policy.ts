/** The policy as the store keeps it: its text, and when it was applied. */
import { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import type { Policy, PolicyFault } from './policy.ts';
import { faultText, parsePolicy } from './policy-text.ts';

/** Key of the setting. */
export const POLICY_SETTING = 'policy';

export interface StoredPolicy {
  readonly text: string;
  readonly appliedAtMs: number;
}

const stored = z.object({ text: z.string(), appliedAtMs: z.int().min(0) }).nullable();

export function formatStored(policy: StoredPolicy | null): string {
  return JSON.stringify(policy);
}

/**
 * Null: there is none. Throws invalid_config for a setting that this version cannot read: to go on without a policy would let
 * everybody in.
 */
export function readStored(setting: string | undefined): (StoredPolicy & { readonly policy: Policy }) | null {
  if (setting === undefined) return null;
  let value: unknown;
  try {
    value = JSON.parse(setting);
  } catch (cause) {
    throw unreadable('it is not JSON', cause);
  }
  const parsed = stored.safeParse(value);
  if (!parsed.success) throw unreadable('it has another form');
  if (parsed.data === null) return null;
  const policy = parsePolicy(parsed.data.text);
  if (!policy.ok) throw unreadable(faultText(policy.fault));
  return { ...parsed.data, policy: policy.value };
}

/** The text as a policy. Throws invalid_argument with line, column and what to do. */
export function policyOf(text: string): Policy {
  const parsed = parsePolicy(text);
  if (parsed.ok) return parsed.value;
  throw faultError(parsed.fault);
}

export function faultError(fault: PolicyFault): ThalwegError {
  const { line, column, nextStep } = fault;
  return new ThalwegError('invalid_argument', `policy, ${faultText(fault)}`, { fields: { line, column }, nextStep });
}

function unreadable(reason: string, cause?: unknown): ThalwegError {
  return new ThalwegError('invalid_config', `the stored policy cannot be read: ${reason}`, {
    ...(cause === undefined ? {} : { cause }),
    nextStep: 'start the version of the core that the policy was applied with',
  });
}
