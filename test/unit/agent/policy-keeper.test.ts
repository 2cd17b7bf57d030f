/** What an agent lets in: remembered, given to the kernel, acknowledged, counted. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PolicyKeeper } from '../../../agent/policy-keeper.ts';
import { CLOSED, formatStoredPolicy, PolicyStore, parseStoredPolicy } from '../../../agent/policy-store.ts';
import type { TrafficCount } from '../../../overlay/overlay-state.ts';
import { AddressRanges, DEFAULT_ADDRESS_PLAN } from '../../../protocol/address-plan.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import type { AgentBody } from '../../../protocol/frame-codec.ts';
import { silentLogger } from '../../../protocol/log.ts';
import {
  NO_POLICY,
  type NodePolicyState,
  type NodeRule,
  type PolicyUpdate,
  policyChecksum,
} from '../../../protocol/node-policy.ts';
import { eventually } from '../../fake/scripted-core.ts';

const parsed = AddressRanges.parse(DEFAULT_ADDRESS_PLAN);
if (!parsed.ok) throw new Error(parsed.reason);
const ranges = parsed.value;

const RULES: readonly NodeRule[] = [
  { set: 31n, services: [{ protocol: 'tcp', ports: [[5432, 5432]] }] },
  { set: null, services: [{ protocol: 'icmp', ports: [] }] },
];
const stateOf = (generation: bigint, ...members: number[]): NodePolicyState => ({
  generation,
  active: true,
  rules: RULES,
  sets: new Map([[31n, new Set(members)]]),
});
function updateTo(state: NodePolicyState, change: Partial<PolicyUpdate> = {}): PolicyUpdate {
  const { generation, active, rules } = state;
  const add = [...(state.sets.get(31n) ?? [])];
  const sets = [{ id: 31n, reset: true, add, remove: [] }];
  const checksum = policyChecksum(state);
  return { generation, baseGeneration: generation - 1n, full: true, active, rules, sets, checksum, ...change };
}

describe('PolicyKeeper', () => {
  let stateDir: string;
  let sent: Extract<AgentBody, { case: 'policyStatus' }>['value'][];
  let wants: number;
  let denied: TrafficCount | null;
  let failures: string[];
  const path = () => join(stateDir, 'policy.json');
  const makeStore = () =>
    new PolicyStore({ log: silentLogger, onWriteFailed: (code) => failures.push(code) }, { stateDir });
  const makeKeeper = () =>
    new PolicyKeeper({
      log: silentLogger,
      store: makeStore(),
      overlay: { deniedTraffic: async () => denied },
      send: (body) => void (body.case === 'policyStatus' && sent.push(body.value)),
      onChanged: () => void wants++,
    });
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'policy-'));
    [sent, wants, denied, failures] = [[], 0, null, []];
  });
  afterEach(() => rm(stateDir, { recursive: true, force: true }));

  it('lets everything in until it was told, then keeps what it was told over a restart', async () => {
    const keeper = makeKeeper();
    await keeper.load();
    expect([keeper.wanted(ranges), keeper.toldChecksum]).toEqual([null, 1n]);
    keeper.outcome(keeper.state, undefined);
    expect(keeper.toldChecksum).toBe(0n);
    keeper.take(updateTo(stateOf(1n, 2, 9)));
    expect(wants).toBe(1);
    const wanted = keeper.wanted(ranges);
    expect(wanted?.rules[0]?.senders).toEqual({
      name: '1f',
      node4: new Set(['100.96.0.2', '100.96.0.9']),
      node6: new Set(['fd74:6861:6c77::2', 'fd74:6861:6c77::9']),
    });
    expect(wanted?.rules[1]?.senders).toBeNull();
    expect(keeper.wanted(ranges)).toBe(wanted);
    keeper.outcome(keeper.state, undefined);
    await eventually(() => sent.length === 1, 'acknowledged');
    expect(sent[0]).toMatchObject({ generation: 1n, error: '' });
    expect(parseStoredPolicy(await readFile(path(), 'utf8'))).toEqual({ ok: true, value: stateOf(1n, 2, 9) });
    const again = makeKeeper();
    await again.load();
    expect(again.wanted(ranges)).toEqual(wanted);
    expect(again.state.generation).toBe(1n);
  });

  it('applies changes of sets to what it has, and asks for everything where they do not fit', () => {
    const keeper = makeKeeper();
    keeper.take(updateTo(stateOf(1n, 2, 9)));
    const sets = [{ id: 31n, reset: false, add: [4], remove: [9] }];
    keeper.take(updateTo(stateOf(2n, 2, 4), { full: false, sets }));
    expect(keeper.state).toEqual(stateOf(2n, 2, 4));
    keeper.take(updateTo(stateOf(4n, 2), { full: false, sets }));
    keeper.take(updateTo(stateOf(3n, 2, 5), { full: false, sets }));
    expect(sent.map(({ error, generation }) => [error, generation])).toEqual([
      ['table_mismatch', 2n],
      ['table_mismatch', 2n],
    ]);
    expect([keeper.state, wants]).toEqual([stateOf(2n, 2, 4), 2]);
  });

  it('tells what the kernel refuses, and acknowledges when it takes it after all', async () => {
    const keeper = makeKeeper();
    keeper.take(updateTo(stateOf(1n, 2)));
    const error = new ThalwegError('missing_kernel_feature', 'no conntrack');
    keeper.outcome(keeper.state, error);
    expect(sent).toMatchObject([{ generation: 1n, error: 'missing_kernel_feature', message: 'no conntrack' }]);
    expect(keeper.snapshot.active).toBe(true);
    keeper.outcome(keeper.state, undefined);
    await eventually(() => sent.length === 2, 'acknowledged');
    expect(sent[1]).toMatchObject({ error: '', checksum: policyChecksum(stateOf(1n, 2)) });
  });

  it('acknowledges only what the kernel holds, and nothing to a core that is gone', async () => {
    const keeper = makeKeeper();
    keeper.take(updateTo(stateOf(1n, 2)));
    const first = keeper.state;
    keeper.take(updateTo(stateOf(2n, 3)));
    keeper.outcome(first, undefined);
    await eventually(() => sent.length === 1, 'the first');
    keeper.outcome(keeper.state, undefined);
    await eventually(() => sent.length === 2, 'the second');
    expect(sent.map(({ generation }) => generation)).toEqual([1n, 2n]);
    keeper.take(updateTo(stateOf(3n, 4)));
    keeper.sessionBegan();
    keeper.outcome(keeper.state, undefined);
    await makeStore().flush();
    expect(sent).toHaveLength(2);
  });

  it('adds up what was denied over counters that begin anew, and says so when it is more', async () => {
    const keeper = makeKeeper();
    keeper.take(updateTo(stateOf(1n, 2)));
    keeper.outcome(keeper.state, undefined);
    await eventually(() => sent.length === 1, 'acknowledged');
    for (const packets of [5, 5, 2, 4]) {
      denied = { packets, bytes: packets * 60 };
      await keeper.readDenied();
    }
    expect(sent.slice(1).map(({ deniedPackets }) => deniedPackets)).toEqual([5n, 7n, 9n]);
    expect(keeper.snapshot.denied).toEqual({ packets: 9, bytes: 540 });
  });

  it('lets nobody in after a damaged file, however often it starts, until the core says more', async () => {
    for (const text of ['{', '[]', formatStoredPolicy(stateOf(1n, 2)).replace('[2]', '[3]'), '{"version":2}']) {
      await writeFile(path(), text);
      for (let start = 0; start < 2; start++) {
        const keeper = makeKeeper();
        await keeper.load();
        expect(keeper.wanted(ranges)).toEqual({ rules: [] });
      }
    }
    expect(parseStoredPolicy(formatStoredPolicy(CLOSED))).toEqual({ ok: true, value: CLOSED });
    expect(parseStoredPolicy(formatStoredPolicy(NO_POLICY))).toMatchObject({ ok: true, value: { active: false } });
  });

  it('goes on from memory where the disk takes nothing, and says so', async () => {
    await rm(stateDir, { recursive: true });
    const keeper = makeKeeper();
    keeper.take(updateTo(stateOf(1n, 2)));
    keeper.outcome(keeper.state, undefined);
    await eventually(() => sent.length === 1 && failures.length === 1, 'acknowledged all the same');
  });
});
