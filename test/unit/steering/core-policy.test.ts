/** The policy in a running core: labels, applying, testing, and what agents are told and say. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditView, NodeView, StatusView } from '../../../protocol/api.ts';
import type { PolicyUpdate as PolicyUpdateMessage } from '../../../protocol/gen/thalweg/v1/session_pb.ts';
import { applyPolicyUpdate, NO_POLICY, type NodePolicyState, policyChecksum } from '../../../protocol/node-policy.ts';
import type { PolicyChange, PolicyTestAnswer, PolicyView } from '../../../protocol/policy-api.ts';
import { policyUpdateFromMessage } from '../../../protocol/policy-message.ts';
import type { TestAgent, TestSession } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

const TEXT = 'allow app=web -> app=db tcp/5432\nallow any -> db-1 icmp\n';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

const put = (text: string, dryRun = false) => core.api.post<PolicyChange>('/v1/policy', { text, dryRun });
const label = (name: string, labels: Record<string, string | null>) =>
  core.api.post<NodeView>(`/v1/nodes/${name}`, { labels });
const node = (name: string) => core.api.get<NodeView>(`/v1/nodes/${name}`);
const open = (agent: TestAgent, policyChecksum = 0n, policyGeneration = 0n) =>
  agent.open({ policyChecksum, policyGeneration });

function applied(state: NodePolicyState, message: PolicyUpdateMessage): NodePolicyState {
  const update = policyUpdateFromMessage(message);
  if (!update.ok) throw new Error(update.reason);
  const result = applyPolicyUpdate(state, update.value);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

function acknowledge(session: TestSession, state: NodePolicyState, error = '', denied = 0n): void {
  const { generation } = state;
  const value = { generation, checksum: policyChecksum(state), error, message: error, deniedPackets: denied };
  session.send({ case: 'policyStatus', value });
}

const senders = ({ rules, sets }: NodePolicyState) =>
  rules.map(({ set }) => (set === null ? 'any' : [...(sets.get(set) ?? [])]));

describe('labels', () => {
  it('come with the token, are set and taken by the operator, survive a restart, and stand in the audit', async () => {
    const { token } = await core.token({ labels: { app: 'web', env: 'dev' } });
    const agent = await core.agent('other');
    await agent.open();
    const joining = await core.agent('db-1');
    expect(joining.joined?.index).toBe(2);
    expect(token).toMatch(/^tw1/);
    expect((await label('db-1', { app: 'db', env: 'prod' })).labels).toEqual({ app: 'db', env: 'prod' });
    expect((await label('db-1', { env: null, gone: null })).labels).toEqual({ app: 'db' });
    await core.restart();
    expect((await node('db-1')).labels).toEqual({ app: 'db' });
    const audit = await core.api.get<AuditView[]>('/v1/audit');
    expect(audit.filter(({ kind }) => kind === 'node_labelled').map(({ name, detail }) => [name, detail])).toEqual([
      ['db-1', 'env-'],
      ['db-1', 'app=db env=prod'],
    ]);
  });

  it('are refused in full where one is wrong, or they are too many', async () => {
    await core.agent('db-1');
    await expect(label('db-1', { app: 'db', '-x': 'y' })).rejects.toMatchObject({ code: 'invalid_argument' });
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, 'v']));
    await expect(label('db-1', many)).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(core.api.post('/v1/nodes/db-1', {})).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(core.readApi.post('/v1/nodes/db-1', { labels: { a: 'b' } })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    expect((await node('db-1')).labels).toEqual({});
  });
});

describe('a policy', () => {
  it('is told before any peer, then as labels change, to the nodes concerned alone, and acknowledged', async () => {
    const [web, db] = [await core.agent('web-1'), await core.agent('db-1')];
    await label('web-1', { app: 'web' });
    await label('db-1', { app: 'db' });
    await put(TEXT);
    const webSession = await open(web);
    const dbSession = await open(db);
    const kinds = () => dbSession.frames.map(({ body }) => body.case);
    await eventually('peers told', () => kinds().includes('peerUpdate'));
    expect(kinds().indexOf('policyUpdate')).toBeLessThan(kinds().indexOf('peerUpdate'));
    expect(kinds()).toContain('policyUpdate');
    let state = applied(NO_POLICY, await dbSession.next('policyUpdate'));
    expect(senders(state)).toEqual([[1], 'any']);
    expect((await node('db-1')).policy?.state).toBe('pending');
    acknowledge(dbSession, state, '', 7n);
    await eventually('acknowledged', async () => (await node('db-1')).policy?.state === 'enforced');
    expect((await node('db-1')).policy).toMatchObject({ rules: 2, generation: '1', deniedPackets: 7 });
    acknowledge(webSession, applied(NO_POLICY, await webSession.next('policyUpdate')));
    await label('web-1', { app: null });
    const update = await dbSession.next('policyUpdate');
    expect(update).toMatchObject({ full: false, baseGeneration: 1n });
    expect(update.sets.map(({ add, remove }) => [add, remove])).toEqual([[[], []]]);
    state = applied(state, update);
    expect(senders(state)).toEqual([[], 'any']);
    const { policy } = await core.api.get<StatusView>('/v1/status');
    expect(policy).toMatchObject({
      active: true,
      rules: 2,
      enforcement: { enforced: 1, pending: 1 },
      deniedPackets: 7,
    });
    expect(webSession.frames.filter(({ body }) => body.case === 'policyUpdate')).toEqual([]);
    await core.api.delete('/v1/policy');
    expect(applied(state, await dbSession.next('policyUpdate')).active).toBe(false);
    expect((await node('db-1')).policy).toBeNull();
  });

  it('is not told again to a node that has it, is told anew to one that asks, and once only', async () => {
    const db = await core.agent('db-1');
    await put(TEXT);
    const first = await open(db);
    const state = applied(NO_POLICY, await first.next('policyUpdate'));
    const again = await open(db, policyChecksum(state), state.generation);
    await eventually('known', async () => (await node('db-1')).policy?.state === 'enforced');
    await again.next('peerUpdate');
    expect(again.frames.filter(({ body }) => body.case === 'policyUpdate')).toEqual([]);
    await put('allow any -> db-1 udp/53');
    const delta = await again.next('policyUpdate');
    expect(delta.full).toBe(false);
    acknowledge(again, state, 'table_mismatch');
    const full = await again.next('policyUpdate');
    expect(full.full).toBe(true);
    acknowledge(again, state, 'table_mismatch');
    await eventually('refused', async () => (await node('db-1')).policy?.state === 'refused');
  });

  it('says which node does not enforce it, because its agent is too old or its kernel refuses', async () => {
    const [old, broken] = [await core.agent('old-1'), await core.agent('db-1')];
    await old.open();
    const session = await open(broken);
    const { warnings } = await put(TEXT);
    expect(warnings).toContain('too old to enforce policies: old-1');
    acknowledge(session, applied(NO_POLICY, await session.next('policyUpdate')), 'missing_kernel_feature');
    await eventually('refused', async () => (await node('db-1')).policy?.error === 'missing_kernel_feature');
    expect((await node('old-1')).policy?.state).toBe('too_old');
    const view = await core.api.get<PolicyView>('/v1/policy');
    expect(view.notEnforcing.toSorted()).toEqual(['db-1', 'old-1']);
    await old.open();
    expect(core.logged.some(({ message }) => /does not enforce the policy/.test(message))).toBe(true);
  });

  it('is kept over a restart, whole; the old one stays where the new one is refused', async () => {
    await core.agent('db-1');
    await label('db-1', { app: 'db' });
    await put(TEXT);
    const refused = [
      ['allow any -> app=db', /line 1, column 20: the rule names no service/],
      [`${TEXT}test any -> app=db tcp/22 allowed`, /line 3: `test any -> app=db tcp\/22 allowed` does not hold/],
    ] as const;
    for (const [text, message] of refused) {
      await expect(put(text)).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringMatching(message),
      });
    }
    const tried = await put('allow any -> any tcp/22', true);
    expect(tried).toMatchObject({
      applied: false,
      nodesChanged: 1,
      nodes: ['db-1'],
      added: ['allow any -> any tcp/22'],
    });
    expect(tried.removed).toEqual(['allow app=web -> app=db tcp/5432', 'allow any -> db-1 icmp']);
    await core.restart();
    const view = await core.api.get<PolicyView>('/v1/policy');
    expect(view).toMatchObject({ active: true, text: TEXT, rules: 2, enforcement: { offline: 1 } });
    expect(view.ruleList.map(({ from, to }) => [from, to])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    await core.api.delete('/v1/policy');
    await core.restart();
    expect(await core.api.get<PolicyView>('/v1/policy')).toMatchObject({ active: false, text: null });
    expect(core.logged.some(({ level, message }) => level === 'warn' && /^no policy: every node/.test(message))).toBe(
      true,
    );
    const audit = await core.api.get<AuditView[]>('/v1/audit');
    expect(audit.slice(0, 2).map(({ kind, detail }) => [kind, detail])).toEqual([
      ['policy_cleared', '0 rules'],
      ['policy_applied', '2 rules'],
    ]);
  });

  it('is asked about, in force or in a text; without one everything is allowed', async () => {
    await core.agent('web-1');
    await core.agent('db-1');
    await label('web-1', { app: 'web' });
    await label('db-1', { app: 'db' });
    const viewer = core.apiWith((await core.key('viewer')).key);
    const ask = (from: string, to: string, service: string, text?: string) =>
      viewer.post<PolicyTestAnswer>('/v1/policy/test', { from, to, service, ...(text && { text }) });
    expect(await ask('web-1', 'db-1', 'tcp/22')).toMatchObject({
      allowed: true,
      active: false,
      verdicts: [{ rule: null }],
    });
    expect((await ask('web-1', 'db-1', 'tcp/22', TEXT)).allowed).toBe(false);
    await put(TEXT);
    expect(await ask('app=web', 'app=db', 'tcp/5432')).toMatchObject({
      allowed: true,
      verdicts: [{ from: 'web-1', to: 'db-1', pairs: 1, rule: { line: 1, text: 'allow app=web -> app=db tcp/5432' } }],
    });
    expect((await ask('db-1', 'web-1', 'icmp')).allowed).toBe(false);
    for (const [from, service] of [
      ['web-1', 'tcp'],
      ['a b', 'tcp/1'],
    ] as const) {
      await expect(ask(from, 'db-1', service)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    await expect(core.readApi.post('/v1/policy', { text: TEXT })).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});
