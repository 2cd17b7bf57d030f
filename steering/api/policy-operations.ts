/** Operations on the policy of the mesh (docs/policy.md). */
import { MAX_POLICY_BYTES } from '../policy/policy-text.ts';
import type { SessionHub } from '../session/session-hub.ts';
import { policyApplyInput, policyTestInput } from './api-inputs.ts';
import { ADMIN, LOOK, type Operation, operation, VIEWER } from './operation.ts';
import { policyAnswer, policyChangeAnswer, policyTestAnswer } from './policy-answers.ts';

/** A policy's text with every character escaped, and the rest. */
const MAX_BODY_BYTES = 6 * MAX_POLICY_BYTES + 64 * 1024;

export function policyOperations({ hub }: { readonly hub: Pick<SessionHub, 'policy'> }): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/v1/policy',
      summary: 'The policy in force, whom its rules name, and who enforces it',
      answer: policyAnswer,
      need: LOOK,
      handle: () => hub.policy.view(),
    }),
    operation({
      method: 'POST',
      path: '/v1/policy',
      summary: 'Puts a policy in force, whole or not at all, or says what it would change',
      answer: policyChangeAnswer,
      need: ADMIN,
      body: policyApplyInput,
      maxBodyBytes: MAX_BODY_BYTES,
      handle: ({ body, by }) => hub.policy.apply(body.text, body.dryRun, by),
    }),
    operation({
      method: 'DELETE',
      path: '/v1/policy',
      summary: 'Takes the policy away: every node may open everything towards every other',
      answer: policyChangeAnswer,
      need: ADMIN,
      handle: ({ by }) => hub.policy.clear(by),
    }),
    operation({
      method: 'POST',
      path: '/v1/policy/test',
      summary: 'Whether nodes may open a connection, by the policy in force or by another',
      answer: policyTestAnswer,
      // A text of somebody's own may be long, and is worked on: not for everybody on this host.
      need: VIEWER,
      body: policyTestInput,
      maxBodyBytes: MAX_BODY_BYTES,
      handle: ({ body: { text, ...question } }) =>
        hub.policy.test(text === undefined ? question : { ...question, text }),
    }),
  ];
}
