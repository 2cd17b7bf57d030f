import { describe, expect, it } from 'vitest';
import { type ChurnPlan, churnEvents } from '../../../netlab/scenario/churn.ts';

const plan: ChurnPlan = {
  seed: 7,
  everyMs: 1_000,
  fromMs: 0,
  toMs: 300_000,
  kinds: ['join', 'leave', 'kill', 'cut', 'heal', 'degrade', 'power'],
  keepHosts: 3,
  hosts: ['a', 'b', 'c', 'd', 'e'],
};

describe('churn', () => {
  it('is the same for the same seed and another for another', () => {
    expect(churnEvents(plan)).toEqual(churnEvents(plan));
    expect(churnEvents({ ...plan, seed: 8 })).not.toEqual(churnEvents(plan));
  });

  it('keeps enough hosts, does only what is possible, and mends everything at its end', () => {
    const away = new Map<string, string>();
    const broken = new Set<string>();
    const kinds = new Set<string>();
    for (const { action } of churnEvents(plan)) {
      kinds.add(action.kind);
      if ('host' in action) {
        const back = { leave: 'join', kill: 'start-agent', 'power-off': 'power-on' }[action.kind as 'kill'];
        if (back === undefined) {
          expect(away.get(action.host)).toBe(action.kind);
          away.delete(action.host);
        } else {
          expect(away.has(action.host)).toBe(false);
          away.set(action.host, back);
        }
      } else if ('links' in action) {
        for (const { from, to } of action.links) {
          if (action.kind === 'heal') expect(broken.delete(`${from}>${to}`)).toBe(true);
          else broken.add(`${from}>${to}`);
        }
      }
      expect(plan.hosts.length - away.size).toBeGreaterThanOrEqual(plan.keepHosts);
    }
    expect(away.size).toBe(0);
    expect(broken.size).toBe(0);
    expect([...kinds].sort()).toEqual(
      ['cut', 'degrade', 'heal', 'join', 'kill', 'leave', 'power-off', 'power-on', 'start-agent'].sort(),
    );
  });
});
