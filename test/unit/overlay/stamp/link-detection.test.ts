/**
 * How soon both ends of a link know that it is dead, what that costs in packets, and what must not look like it: two
 * probers with detection on an in-memory network.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { InProcessProber } from '../../../../overlay/stamp/in-process-prober.ts';
import type { DetectionSettings, LinkSummary, ProbeCounters } from '../../../../overlay/stamp/prober.ts';
import { FakeStampNetwork } from '../../../fake/stamp-network.ts';

const A = '100.112.0.1';
const B = '100.112.0.2';
const PORT = 862;
const NORMAL: DetectionSettings = {
  watchedMs: 250,
  guard: 'normal',
  idleMs: 1000,
  packetsPerSecond: 400,
  processorShare: 0.05,
};
const FAST: DetectionSettings = { ...NORMAL, watchedMs: 50, guard: 'fast' };

let network: FakeStampNetwork;
let probers: Record<string, InProcessProber>;
let seen: { a: LinkSummary | undefined; b: LinkSummary | undefined };
let counters: ProbeCounters | undefined;
let downs: string[];
let sent: { atMs: number; from: string }[];
/** One-way delay; null: lost. */
let delay: (from: string, to: string) => number | null;
let kernelAnswers: boolean;
let start: (name: 'a' | 'b') => Promise<void>;
const now = () => network.clock.monoMs();

async function begin(detection: DetectionSettings, use: 'busy' | 'watched' | 'idle' = 'watched'): Promise<void> {
  network = new FakeStampNetwork();
  seen = { a: undefined, b: undefined };
  probers = {};
  downs = [];
  sent = [];
  delay = () => 2;
  kernelAnswers = false;
  network.delayMs = (from, to) => {
    sent.push({ atMs: now(), from });
    return delay(from, to);
  };
  const askKernel = (_: string, onAnswer: () => void) => {
    if (kernelAnswers) network.clock.after(4, onAnswer);
  };
  const settings = { intervalMs: detection.watchedMs, deadAfterMs: 1000, detection };
  start = async (name) => {
    const [own, other] = name === 'a' ? [A, B] : [B, A];
    const prober = new InProcessProber({ ...network, askKernel });
    probers[name] = prober;
    prober.onSummary(([link], counts) => {
      if (link?.health === 'down' && seen[name]?.health !== 'down') downs.push(`${name} ${now()}`);
      seen[name] = link;
      if (name === 'a') counters = counts;
    });
    await prober.start(own, PORT, settings);
    prober.setTargets([{ peerIndex: name === 'a' ? 2 : 1, address: other, port: PORT, use }]);
    // agents do not start in step
    network.run(37);
  };
  await start('a');
  await start('b');
  network.run(8000);
  expect(seen.a?.health).toBe('up');
  expect(seen.b?.health).toBe('up');
}

/** Milliseconds until the end says down; fails after 1.5 s. */
function untilDown(...ends: ('a' | 'b')[]): number {
  const begunAt = now();
  while (ends.some((end) => seen[end]?.health !== 'down')) {
    if (now() - begunAt > 1500) throw new Error(`not down: ${JSON.stringify(seen)}`);
    network.run(1);
  }
  return now() - begunAt;
}

function packetsPerSecond(from: string, seconds: number): number {
  const sinceMs = now();
  network.run(seconds * 1000);
  return sent.filter((packet) => packet.from === from && packet.atMs >= sinceMs).length / seconds;
}

describe.each([
  ['normal', NORMAL, { mostMs: 205, medianMs: 150, packets: 10 }],
  ['fast', FAST, { mostMs: 80, medianMs: 60, packets: 52 }],
] as const)('%s detection', (_, detection, bound) => {
  beforeEach(() => begin(detection));

  it('costs each end so many packets a second, probes and replies', () => {
    expect(packetsPerSecond(A, 20)).toBeLessThan(bound.packets);
    expect(packetsPerSecond(B, 20)).toBeLessThan(bound.packets);
  });

  it.each([
    ['both directions', () => null, ['a', 'b']],
    ['towards the peer', (from: string) => (from === A ? null : 2), ['a', 'b']],
    ['from the peer', (from: string) => (from === B ? null : 2), ['a', 'b']],
  ] as const)('knows at both ends of a link that dies in %s, whenever it dies', async (__, dead, ends) => {
    const took: number[] = [];
    for (let into = 0; into < detection.watchedMs; into += detection.watchedMs / 10) {
      await begin(detection);
      network.run(into);
      delay = dead;
      took.push(untilDown(...ends));
    }
    took.sort((x, y) => x - y);
    expect(took.at(-1)).toBeLessThanOrEqual(bound.mostMs);
    expect(took[took.length >> 1]).toBeLessThanOrEqual(bound.medianMs);
  });

  it('is up again after three replies, and says nothing else meanwhile', () => {
    delay = () => null;
    untilDown('a', 'b');
    network.run(3000);
    delay = () => 2;
    network.run(4 * detection.watchedMs + 50);
    expect([seen.a?.health, seen.b?.health]).toEqual(['up', 'up']);
    expect(downs).toHaveLength(2);
  });

  it('takes no link down for a stall of its own loop of 500 ms', () => {
    for (let i = 0; i < 20; i++) {
      network.run(1000 + 17 * i);
      network.stall(500);
    }
    network.run(3000);
    expect(downs).toEqual([]);
  });

  it('takes no link down while the peer is stuck, because its kernel answers', () => {
    kernelAnswers = true;
    for (let i = 0; i < 10; i++) {
      network.run(1000 + 31 * i);
      delay = (from) => (from === B ? null : 2);
      network.run(500);
      delay = () => 2;
    }
    network.run(3000);
    expect(downs).toEqual([]);
    expect(counters?.doubts).toBeGreaterThan(5);
  });

  it('knows of a link that dies while the peer is stuck', () => {
    kernelAnswers = true;
    delay = (from) => (from === B ? null : 2);
    network.run(2000);
    expect(seen.a?.health).toBe('up');
    kernelAnswers = false;
    untilDown('a');
  });

  it.each([
    ['stuck', 15_000],
    ['stuck', 1500],
    ['restarted', 15_000],
    ['restarted', 500],
  ])('counts nothing as lost that a peer did not answer while its prober was %s for %d ms', async (what, awayMs) => {
    kernelAnswers = true;
    if (what === 'restarted') await probers['b']?.stop();
    else delay = () => null;
    network.run(awayMs);
    delay = () => 2;
    if (what === 'restarted') await start('b');
    for (let i = 0; i < 200; i++) {
      network.run(100);
      expect(seen.a).toMatchObject({ health: 'up', grey: false });
      expect([seen.a?.lossOutPpm ?? 0, seen.a?.lossInPpm ?? 0], `after ${i * 100} ms`).toEqual([0, 0]);
    }
    expect(seen.a?.lossOutPpm).toBe(0);
    expect(downs).toEqual([]);
  });

  it('takes no link down for 5 % of random loss in each direction in two minutes', () => {
    let state = 12345;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    delay = () => (random() < 0.05 ? null : 2);
    network.run(120_000);
    expect(downs).toEqual([]);
  });

  it('finds a link that loses 30 % grey within 2 s, and good again in time', () => {
    let state = 777;
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    delay = () => (random() < 0.3 ? null : 2);
    const begunAt = now();
    while (seen.a?.grey !== true && seen.a?.health !== 'down' && now() - begunAt < 5000) network.run(10);
    expect(now() - begunAt).toBeLessThanOrEqual(2000);
    delay = () => 2;
    network.run(30_000);
    expect(seen.a).toMatchObject({ grey: false, health: 'up' });
  });
});

describe('a host that is slow for a while', () => {
  it('knows what it knew, after a verdict that a late reply proved wrong', async () => {
    await begin(NORMAL);
    const stallEndMs = now() + 220;
    delay = () => 2 + Math.max(0, stallEndMs - now());
    untilDown('a');
    while (seen.a?.health !== 'up') network.run(1);
    expect(now()).toBeLessThan(stallEndMs + 70);
    for (let i = 0; i < 300; i++, network.run(10)) expect(seen.a?.rttUs ?? 0).toBeLessThan(6000);
  });

  it.each([
    { late: 'one link', slow: ['100.112.0.2'], forMs: 1500, rises: true },
    { late: 'all links for a moment', slow: ['100.112.0.2', '100.112.0.3', '100.112.0.4'], forMs: 1500, rises: false },
    { late: 'all links for good', slow: ['100.112.0.2', '100.112.0.3', '100.112.0.4'], forMs: 6000, rises: true },
  ])('tells what is slow everywhere from a link that became slow: $late', async ({ slow, forMs, rises }) => {
    network = new FakeStampNetwork();
    let extraMs = 0;
    network.delayMs = (from, to) => 2 + (slow.includes(from) || slow.includes(to) ? extraMs : 0);
    const settings = { intervalMs: 250, deadAfterMs: 1000, detection: NORMAL };
    const peers = ['100.112.0.2', '100.112.0.3', '100.112.0.4'];
    const a = new InProcessProber(network);
    let links: readonly LinkSummary[] = [];
    a.onSummary((summaries) => {
      links = summaries;
    });
    await a.start(A, PORT, settings);
    for (const peer of peers) await new InProcessProber(network).start(peer, PORT, settings);
    a.setTargets(peers.map((address, at) => ({ peerIndex: at + 2, address, port: PORT, use: 'watched' as const })));
    network.run(8000);
    extraMs = 10;
    network.run(forMs);
    extraMs = 0;
    const [link] = links;
    expect((link?.rttUs ?? 0) > 15_000).toBe(rises);
  });
});

describe('pace', () => {
  it('keeps two ends between each other: something is heard twice in an interval', async () => {
    await begin(NORMAL);
    sent = [];
    network.run(2000);
    const probes = sent.filter((packet, at) => at === 0 || packet.atMs - (sent[at - 1]?.atMs ?? 0) > 10);
    const gaps = probes.slice(1).map((packet, at) => packet.atMs - (probes[at]?.atMs ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(150);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(100);
  });

  it('asks an idle link once a second and calls it down by its deadline', async () => {
    await begin(NORMAL, 'idle');
    expect(packetsPerSecond(A, 20)).toBeLessThanOrEqual(2.2);
    delay = () => null;
    network.run(3000);
    expect(downs).toEqual([]);
    network.run(3000);
    expect(downs).toHaveLength(2);
  });

  it('is quick from the moment an idle link is watched', async () => {
    await begin(NORMAL, 'idle');
    probers.a?.setTargets([{ peerIndex: 2, address: B, port: PORT, use: 'watched' }]);
    network.run(300);
    delay = () => null;
    // the other end still asks once a second
    expect(untilDown('a')).toBeLessThanOrEqual(250 + 80);
  });

  it('stays within its budget, however many links there are and however many die at once', async () => {
    network = new FakeStampNetwork();
    const budget = 100;
    let count = 0;
    let dead = false;
    network.delayMs = () => {
      count++;
      return dead ? null : 3;
    };
    const a = new InProcessProber(network);
    const b = new InProcessProber(network);
    const settings = { intervalMs: 250, deadAfterMs: 1000, detection: { ...NORMAL, packetsPerSecond: budget } };
    await b.start(B, PORT, settings);
    await a.start(A, PORT, settings);
    const targets = Array.from({ length: 200 }, (_, at) => ({
      peerIndex: at + 2,
      address: at === 0 ? B : `100.112.1.${at}`,
      port: PORT,
      use: at % 3 === 0 ? ('watched' as const) : ('busy' as const),
    }));
    a.setTargets(targets);
    network.run(5000);
    count = 0;
    network.run(20_000);
    // only one of them answers, so what A sends is its probes alone: half of the budget
    expect(count / 20).toBeLessThanOrEqual(budget / 2 + 3);
    expect(count / 20).toBeGreaterThan(budget / 3);
    dead = true;
    count = 0;
    network.run(2000);
    expect(count / 2).toBeLessThanOrEqual(2 * budget);
  });
});
