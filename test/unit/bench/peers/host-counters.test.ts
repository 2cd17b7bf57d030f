import { describe, expect, it } from 'vitest';
import { counterRules, rateOf, readCounterList } from '../../../../bench/peers/host-counters.ts';

describe('counters of what a host sends', () => {
  it('tell hosts apart, and traffic from control', () => {
    const rules = counterRules([
      { name: 'b', underlay: '198.18.0.2' },
      { name: 'r', underlay: '198.18.0.3' },
    ]);
    expect(rules).toContain('oifname "eth0" ip daddr 198.18.0.3 udp length > 0 counter name "to_r"');
    const lines = rules.split('\n').map((line) => line.trim());
    // what is traffic leaves the chain before the tunnels are counted
    expect(lines.indexOf('udp dport 9000-9099 accept')).toBeLessThan(
      lines.indexOf('oifname "w-*" counter name "control"'),
    );
    expect(lines.indexOf('udp dport 9000-9099 accept')).toBeGreaterThan(0);
  });

  it('are read from what nft prints, and held against an earlier reading', () => {
    const printed = (control: number) =>
      JSON.stringify({
        nftables: [
          { metainfo: { version: '1.0.6' } },
          { counter: { family: 'inet', table: 'bench', name: 'control', handle: 4, packets: control, bytes: 90 } },
        ],
      });
    const [before, after] = [readCounterList(printed(40)), readCounterList(printed(340))];
    expect(rateOf('control', before, after, 10)).toBe(30);
    expect(rateOf('tunnel', before, after, 10)).toBe(0);
    expect(() => readCounterList('Error: no such file')).toThrow('not understood');
  });
});
