/** The lease as steps of a clock, over a chain in memory that may be cut off from one of the cores. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { ChainStream } from '../../../steering/store/nats/chain-stream.ts';
import { LEASE_CLAIM_MS, LEASE_HOLD_MS, Lease, type LeaseState } from '../../../steering/store/nats/lease.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

/** In small steps: what is asked of the chain is answered between them. */
async function turn(ms: number): Promise<void> {
  for (let done = 0; done < ms; done += 10) {
    clock.turn(10);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }
}

interface Message {
  readonly seq: number;
  readonly data: Uint8Array;
  readonly sender: string;
}

let clock: TurnedClock;
let chain: Message[];
let cut: Set<string>;
beforeEach(() => {
  clock = new TurnedClock();
  chain = [];
  cut = new Set();
});

function core(id: string) {
  const states: LeaseState[] = [];
  const seen = { states, lost: 0, isAlive: true, mayAct: () => states.at(-1)?.isHeld === true };
  const reach = () => {
    if (cut.has(id)) throw new Error('cut off');
  };
  const part: Pick<ChainStream, 'newest' | 'bounds' | 'append' | 'isOwn'> = {
    async newest() {
      reach();
      return (chain.at(-1) ?? null) as unknown as Awaited<ReturnType<ChainStream['newest']>>;
    },
    async bounds() {
      reach();
      return { first: 1, last: chain.length };
    },
    async append(_subject, data, after) {
      reach();
      if (after !== chain.length) return undefined;
      chain.push({ seq: after + 1, data, sender: id });
      return after + 1;
    },
    isOwn: (message) => (message as unknown as Message).sender === id,
  };
  const lease = new Lease(
    {
      chain: part as ChainStream,
      clock,
      tell: (state) => states.push(state),
      lost: () => {
        seen.lost++;
      },
      isAlive: () => seen.isAlive,
    },
    { id, subject: 's' },
  );
  lease.start();
  return Object.assign(seen, { lease });
}

describe('the lease', () => {
  it('is taken at once where nobody has it, and kept', async () => {
    const a = core('a');
    await turn(100);
    expect(a.mayAct()).toBe(true);
    const b = core('b');
    await turn(60_000);
    expect([a.mayAct(), b.mayAct()]).toEqual([true, false]);
    expect(a.states).toHaveLength(1);
    // each renewal is heard of
    expect(b.states.length).toBeGreaterThan(100);
    expect(b.states.at(-1)?.holder).toBe('a');
  });

  it('is never with two: a holder that is cut off stops before another one may begin', async () => {
    const a = core('a');
    await turn(1000);
    const b = core('b');
    await turn(1000);
    cut.add('a');
    let bothMs = 0;
    let noneMs = 0;
    for (let ms = 0; ms < 5000; ms += 10) {
      await turn(10);
      if (a.mayAct() && b.mayAct()) bothMs += 10;
      if (!a.mayAct() && !b.mayAct()) noneMs += 10;
    }
    expect(bothMs).toBe(0);
    expect(b.mayAct()).toBe(true);
    expect(noneMs).toBeLessThan(LEASE_CLAIM_MS - LEASE_HOLD_MS + 700);
    expect(a.lost).toBe(0);
    cut.delete('a');
    await turn(1000);
    expect([a.lost, a.mayAct(), b.mayAct()]).toEqual([1, false, true]);
    expect(b.states.at(-1)?.epoch).toBeGreaterThan(a.states[0]?.epoch ?? 0);
  });

  it('stays where it is when nobody can reach the servers for a while', async () => {
    const a = core('a');
    await turn(1000);
    const b = core('b');
    await turn(1000);
    for (const id of ['a', 'b']) cut.add(id);
    await turn(10_000);
    expect([a.mayAct(), b.mayAct()]).toEqual([false, false]);
    cut.clear();
    await turn(1000);
    expect([a.mayAct(), a.lost, b.mayAct()]).toEqual([true, 0, false]);
  });

  it('goes at once when the holder gives it back, and from one that hangs', async () => {
    const a = core('a');
    await turn(1000);
    const b = core('b');
    await turn(1000);
    await a.lease.stop();
    await turn(200);
    expect(b.mayAct()).toBe(true);
    const c = core('c');
    await turn(1000);
    b.isAlive = false;
    await turn(LEASE_CLAIM_MS + 500);
    expect([b.mayAct(), c.mayAct()]).toEqual([false, true]);
  });
});
