import { describe, expect, test } from 'vitest';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';
import { netemLines, rateLines, rootQueueLine, switchRuleset } from '../../../netlab/switch-rules.ts';

const link = (from: number, to: number, shape: Partial<typeof PERFECT_LINK>) => ({
  from,
  to,
  shape: { ...PERFECT_LINK, ...shape },
});

describe('netemLines', () => {
  test.each([
    ['delay', { oneWayDelayUs: 2500 }, 'netem limit 20000 delay 2500us rate 100gbit'],
    // netem draws from delay - jitter to delay + jitter: 5,000 to 6,000 microseconds is 5,500 and 500.
    ['jitter', { oneWayDelayUs: 5000, jitterUs: 1000 }, 'netem limit 20000 delay 5500us 500us rate 100gbit'],
    ['loss', { lossPpm: 12_345 }, 'netem limit 20000 delay 0us loss random 1.2345% rate 100gbit'],
    // 10 Mbit/s over 20 ms and a queue of 50 ms: 700,000 bits, 58 full frames.
    ['rate', { oneWayDelayUs: 20_000, rateBps: 10e6 }, 'netem limit 58 delay 20000us rate 10000000bit'],
    ['nothing', {}, 'netem limit 20000 delay 0us rate 100gbit'],
  ])('%s', (_name, shape, netem) => {
    expect(netemLines(link(1, 2, shape))).toEqual([
      'class replace dev h2 parent 1: classid 1:1 htb rate 100gbit quantum 1514',
      `qdisc replace dev h2 parent 1:1 handle 2: ${netem}`,
    ]);
  });

  test('class ids and handles are hexadecimal', () => {
    expect(netemLines(link(26, 3, {}))).toEqual([
      'class replace dev h3 parent 1: classid 1:1a htb rate 100gbit quantum 1514',
      'qdisc replace dev h3 parent 1:1a handle 1b: netem limit 20000 delay 0us rate 100gbit',
    ]);
  });
});

test('rateLines: HTB at the port towards the receiver, a queue of 50 ms and at least 10 frames', () => {
  expect(rootQueueLine(2)).toBe('qdisc add dev h2 root handle 1: htb default 0');
  expect(rateLines(link(1, 2, { rateBps: 50e6 }))).toEqual([
    'class replace dev h2 parent 1: classid 1:1 htb rate 50000000bit quantum 1514',
    'qdisc replace dev h2 parent 1:1 handle 2: pfifo limit 207',
  ]);
  expect(rateLines(link(1, 2, { rateBps: 64_000 }))[1]).toContain('pfifo limit 10');
  expect(rateLines(link(1, 2, {}))[0]).toContain('rate 100gbit');
});

describe('switchRuleset', () => {
  const links = [link(1, 2, { cut: true }), link(2, 1, { lossPpm: 20_000 }), link(1, 3, { lossPpm: 1, cut: true })];

  test('replaces the table, marks the sender, drops cut pairs, loses by pair', () => {
    expect(switchRuleset(links, 3, true)).toBe(`add table bridge lab
delete table bridge lab
table bridge lab {
  chain loss_2_1 { numgen random mod 1000000 < 20000 counter drop; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    meta priority set ether saddr map { 02:54:57:00:00:01 : 1:1, 02:54:57:00:00:02 : 1:2, 02:54:57:00:00:03 : 1:3 }
    ether saddr . oifname { 02:54:57:00:00:01 . "h2", 02:54:57:00:00:01 . "h3" } counter drop
    ether saddr . oifname vmap { 02:54:57:00:00:02 . "h1" : jump loss_2_1 }
  }
}
`);
  });

  test('with netem only cuts', () => {
    const text = switchRuleset(links, 3, false);
    expect(text).not.toContain('numgen');
    expect(text).toContain('counter drop');
  });
});
