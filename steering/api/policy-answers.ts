/** What the HTTP API answers about the policy, as schemas for the OpenAPI document; see api-answers.ts. */
import { z } from 'zod';
import type {
  EnforcementState,
  NodePolicyView,
  PolicyChange,
  PolicySummary,
  PolicyTestAnswer,
  PolicyView,
} from '../../protocol/policy-api.ts';

const count = z.int();
const names = z.array(z.string());
const STATES = ['enforced', 'pending', 'refused', 'too_old', 'offline'] as const satisfies readonly EnforcementState[];

export const nodePolicyShape: z.ZodType<NodePolicyView> = z.object({
  state: z.enum(STATES).describe('too_old: the agent knows no policies; offline: it enforces what it was last told'),
  rules: count,
  generation: z.string(),
  error: z.string().nullable(),
  deniedPackets: count,
  deniedBytes: count,
});

const summary = {
  active: z.boolean().describe('false: every node may open everything towards every other'),
  rules: count,
  appliedAtMs: count.nullable(),
  enforcement: z.object({ enforced: count, pending: count, refused: count, too_old: count, offline: count }),
  deniedPackets: count,
};

export const policySummaryShape: z.ZodType<PolicySummary> = z.object(summary);

export const policyAnswer: z.ZodType<PolicyView> = z.object({
  ...summary,
  text: z.string().nullable(),
  ruleList: z.array(z.object({ line: count, rule: z.string(), from: count, to: count })),
  notEnforcing: names,
});

export const policyChangeAnswer: z.ZodType<PolicyChange> = z.object({
  applied: z.boolean(),
  added: names,
  removed: names,
  nodesChanged: count,
  nodes: names,
  warnings: names,
  tests: count,
});

export const policyTestAnswer: z.ZodType<PolicyTestAnswer> = z.object({
  allowed: z.boolean(),
  active: z.boolean(),
  verdicts: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      pairs: count,
      allowed: z.boolean(),
      rule: z.object({ line: count, text: z.string() }).nullable(),
    }),
  ),
});
