import { describe, expect, it } from 'vitest';
import type { CommandRunner } from '../../../../overlay/command-runner.ts';
import { isIpChangeOfInterest, isNftChangeOfInterest, KernelWatch } from '../../../../overlay/kernel-watch.ts';
import type { Clock } from '../../../../protocol/clock.ts';

class SteppedClock implements Clock {
  now = 0;
  timers: { at: number; callback: () => void }[] = [];
  nowMs = () => this.now;
  monoMs = () => this.now;
  after(delayMs: number, callback: () => void) {
    const timer = { at: this.now + delayMs, callback };
    this.timers.push(timer);
    const cancel = () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
    return { cancel };
  }
  advance(ms: number): void {
    this.now += ms;
    const due = this.timers.filter((timer) => timer.at <= this.now);
    this.timers = this.timers.filter((timer) => timer.at > this.now);
    for (const timer of due) timer.callback();
  }
}

class Monitors implements CommandRunner {
  readonly open: { argv: string; line: (text: string) => void; end: () => void; stopped: boolean }[] = [];
  run(): never {
    throw new Error('not used');
  }
  stream(argv: readonly string[], line: (text: string) => void, end: () => void) {
    const stream = { argv: argv.join(' '), line, end, stopped: false };
    this.open.push(stream);
    return {
      stop: async () => {
        stream.stopped = true;
      },
    };
  }
}

describe('what is of interest', () => {
  it.each([
    ['Deleted 100.96.0.3 nhid 1414004738  encap ip id 1 dev twx-a table 8400 proto 84 src 100.96.0.1 mtu 1384 ', true],
    ['Deleted 8400:	from all lookup 8400 proto 84', true],
    ['id 1414004740 group 1414004737,3 proto 84 ', true],
    ['Deleted 2: tw0    inet 100.96.0.1/32 scope 0 tw0', true],
    ['2: eth0    inet 192.0.2.201/24 scope 0 eth0', true],
    ['3: eth0: <BROADCAST> mtu 1500 qdisc noqueue state DOWN group 0 ', true],
    ['default via 192.0.2.254 dev eth0 ', true],
    ['203.0.113.0/24 via 192.0.2.2 dev eth0 ', false],
    ['203.0.113.0/24 via 192.0.2.2 dev eth0 proto 184 ', false],
    ['       valid_lft forever preferred_lft forever', false],
  ])('ip monitor: %s', (line, expected) => {
    expect(isIpChangeOfInterest(line)).toBe(expected);
  });

  it.each([
    ['delete chain inet thalweg input', true],
    ['add table inet thalweg', true],
    ['add table inet thalweg2', false],
    ['add element inet thalweg demand4 { 100.96.0.3 }', false],
    ['delete table ip thalweg', false],
  ])('nft monitor: %s', (line, expected) => {
    expect(isNftChangeOfInterest(line)).toBe(expected);
  });
});

describe('KernelWatch', () => {
  it('waits for the end of a burst, starts dead monitors again, and is silent after stop', async () => {
    const clock = new SteppedClock();
    const monitors = new Monitors();
    let calls = 0;
    const watch = new KernelWatch({ runner: monitors, clock }, () => calls++);
    watch.start();
    watch.start();
    expect(monitors.open.map((stream) => stream.argv)).toEqual([
      'ip -N monitor link address route nexthop rule',
      'nft monitor',
    ]);
    for (let i = 0; i < 100; i++) monitors.open[0]?.line('4: twx-b: <NOARP> mtu 1384');
    clock.advance(199);
    expect(calls).toBe(0);
    clock.advance(1);
    expect(calls).toBe(1);
    monitors.open[1]?.end();
    clock.advance(1_000);
    expect(monitors.open).toHaveLength(3);
    clock.advance(200);
    expect(calls).toBe(2);
    monitors.open[0]?.line('4: twx-b: <NOARP> mtu 1384');
    await watch.stop();
    clock.advance(10_000);
    expect(calls).toBe(2);
    expect(clock.timers).toEqual([]);
    expect([monitors.open[0]?.stopped, monitors.open[2]?.stopped]).toEqual([true, true]);
  });
});
