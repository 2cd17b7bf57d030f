/** What a core with an embedded store, and one beside others, answers. */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../protocol/log.ts';
import { SolverRole } from '../../../steering/cluster/solver-role.ts';
import type { Store } from '../../../steering/store/store.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

function role() {
  const said: string[] = [];
  const deps = {
    store: {} as Store,
    clock: new TurnedClock(),
    log: silentLogger,
    begin: () => void said.push('begin'),
  };
  const others = { renewalSeen: () => {}, failed: (error: unknown) => void said.push(String(error)) };
  return { said, role: new SolverRole({ ...deps, ...others }) };
}
const HELD = { isHeld: true, holder: 'me', epoch: 3 };
const OTHER = { isHeld: false, holder: 'you', epoch: 4 };

describe('the role of a core', () => {
  it('is to steer at once with an embedded store', () => {
    const { role: alone, said } = role();
    alone.start();
    expect([said, alone.isSteering, alone.refusal('/v1/paths', 'GET')]).toEqual([['begin'], true, undefined]);
  });

  it.each([
    ['GET', '/v1/tokens', undefined],
    ['DELETE', '/v1/tokens/abc', undefined],
    ['DELETE', '/v1/nodes/abc', undefined],
    ['GET', '/healthz', undefined],
    ['GET', '/v1/nodes', 'conflict'],
    ['POST', '/v1/nodes/abc', 'conflict'],
    ['PUT', '/v1/load', 'conflict'],
    ['GET', '/v1/tokensomething', 'conflict'],
  ] as const)('is to stand by beside another: %s %s', (method, path, code) => {
    const { role: beside, said } = role();
    beside.leaseChanged(OTHER);
    expect(beside.refusal(path, method)?.code).toBe(code);
    expect(said).toEqual([]);
  });

  it('is taken up once, and does not end with a renewal that is late', () => {
    const { role: next, said } = role();
    next.leaseChanged(OTHER);
    next.leaseChanged(HELD);
    next.leaseChanged({ ...HELD, isHeld: false });
    const waiting: string[] = [];
    next.held.take({ begin: () => void waiting.push('begins'), sendOn: () => void waiting.push('is sent on') });
    expect([next.isSteering, waiting]).toEqual([true, []]);
    next.leaseChanged(HELD);
    expect([said, waiting]).toEqual([['begin'], ['begins']]);
  });
});
