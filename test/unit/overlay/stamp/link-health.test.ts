import { describe, expect, it } from 'vitest';
import { LinkHealth } from '../../../../overlay/stamp/link-health.ts';
import { LoopLag } from '../../../../overlay/stamp/loop-lag.ts';

const DEAD_MS = 1000;

describe('link health', () => {
  it('goes unmeasured, up after three in a row, down after silence, up after three in a row', () => {
    const health = new LinkHealth();
    const probedAndChecked = (sentAtMs: number, checkedAtMs: number) => {
      health.probeSent(sentAtMs);
      return health.check(checkedAtMs, DEAD_MS);
    };
    const steps: [string, () => boolean, boolean, string][] = [
      ['a probe', () => probedAndChecked(0, 5000), false, 'unmeasured'],
      ['reply 0', () => health.replied(0), false, 'unmeasured'],
      ['reply 2, 1 is missing', () => health.replied(2), false, 'unmeasured'],
      ['reply 3', () => health.replied(3), false, 'unmeasured'],
      ['reply 4', () => health.replied(4), true, 'up'],
      ['no probe, no silence', () => health.check(60_000, DEAD_MS), false, 'up'],
      ['999 ms', () => probedAndChecked(60_000, 60_999), false, 'up'],
      ['1000 ms, counted from the first probe', () => probedAndChecked(60_900, 61_000), true, 'down'],
      ['still', () => health.check(70_000, DEAD_MS), false, 'down'],
      ['two replies', () => health.replied(0xfffffffe) || health.replied(0xffffffff), false, 'down'],
      ['the third, across the wrap', () => health.replied(0), true, 'up'],
    ];
    for (const [what, step, changed, state] of steps) {
      expect(step(), what).toBe(changed);
      expect(health.state, what).toBe(state);
    }
  });
});

describe('loop lag', () => {
  it('excuses stalls, not ordinary lateness', () => {
    const lag = new LoopLag();
    lag.armed(100);
    expect(lag.attentiveMs(115)).toBe(115);
    expect(lag.fired(115)).toBe(0);
    lag.armed(150);
    expect(lag.attentiveMs(650)).toBe(150);
    expect(lag.fired(650)).toBe(500);
    expect(lag.attentiveMs(650)).toBe(150);
    lag.armed(700);
    expect(lag.attentiveMs(690)).toBe(190);
    expect(lag.takeMaxMs()).toBe(500);
    expect(lag.takeMaxMs()).toBe(0);
  });

  it('suspects what was in flight during a stall and read during or right after it', () => {
    const lag = new LoopLag();
    lag.armed(100);
    expect(lag.isSuspect(50, 110)).toBe(false);
    expect(lag.isSuspect(50, 300)).toBe(true);
    lag.fired(600);
    lag.armed(601);
    expect(lag.isSuspect(50, 602)).toBe(true);
    expect(lag.isSuspect(600.5, 602)).toBe(false);
    lag.fired(601);
    lag.armed(650);
    expect(lag.isSuspect(50, 640)).toBe(false);
  });
});
