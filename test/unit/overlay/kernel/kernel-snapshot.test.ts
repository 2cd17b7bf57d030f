/** Vectors are what iproute2 6.1 printed on kernel 6.18. */
import { describe, expect, it } from 'vitest';
import {
  canonicalPrefix,
  parseAddresses,
  parseIpBatch,
  parseLinks,
  parseNextHops,
  parseRoutes,
  parseRules,
} from '../../../../overlay/route/kernel-snapshot.ts';

const one = (text: string) => {
  const parsed = parseIpBatch(text, 1);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value[0] ?? [];
};

describe('ip -j', () => {
  it('keeps the object’s id apart from that of the encapsulation', () => {
    const items = one(
      '[{"id":1414004737,"dev":"tw0","scope":"254","protocol":"84","flags":[]},{"id":1414004738,"encap":"ip","id":1,"src":"0.0.0.0","dst":"100.112.0.2","ttl":0,"tos":0,"dev":"twx-a","scope":"254","protocol":"84","flags":[]},{"id":1414004740,"group":[{"id":1414004737,"weight":3},{"id":1414004738}],"protocol":"84","flags":[]}]\n',
    );
    expect(parseNextHops(items, new Set([1414004738]))).toEqual({
      ok: true,
      value: [
        { id: 1414004737, protocol: 84, family: 4, device: 'tw0', outerDst: null, members: null, resilient: false },
        {
          id: 1414004738,
          protocol: 84,
          family: 6,
          device: 'twx-a',
          outerDst: '100.112.0.2',
          members: null,
          resilient: false,
        },
        {
          id: 1414004740,
          protocol: 84,
          family: null,
          device: null,
          outerDst: null,
          members: [
            { id: 1414004737, weight: 3 },
            { id: 1414004738, weight: 1 },
          ],
          resilient: false,
        },
      ],
    });
  });

  it('keeps a route’s destination apart from that of the encapsulation', () => {
    const items = one(
      '[{"dst":"100.96.0.3","nhid":1414004738,"encap":"ip","id":1,"src":"0.0.0.0","dst":"100.112.0.2","ttl":0,"tos":0,"dev":"twx-a","table":"8400","prefsrc":"100.96.0.1","flags":[],"metrics":[{"mtu":1384}]},{"type":"6","dst":"default","table":"8401","flags":[]},{"type":"6","dst":"default","dev":"lo","table":"8401","metric":1024,"flags":[],"pref":"medium"}]',
    );
    const base = { table: 8401, type: 6, nextHopId: null, source: null, mtuBytes: null };
    expect(parseRoutes(items)).toEqual({
      ok: true,
      value: [
        {
          family: 4,
          table: 8400,
          prefix: '100.96.0.3/32',
          type: 1,
          nextHopId: 1414004738,
          device: 'twx-a',
          source: '100.96.0.1',
          mtuBytes: 1384,
          metric: 0,
        },
        { ...base, family: 4, prefix: '0.0.0.0/0', device: null, metric: 0 },
        { ...base, family: 6, prefix: '::/0', device: 'lo', metric: 1024 },
      ],
    });
  });

  it('reads links, addresses and rules', () => {
    expect(
      parseLinks(
        one(
          '[{"ifindex":3,"ifname":"twx-a","flags":["POINTOPOINT","NOARP","UP"],"mtu":1384,"txqlen":1000,"linkinfo":{"info_kind":"vxlan","info_data":{"external":true,"id":0,"port":4790,"gpe":true}}}]',
        ),
      ),
    ).toEqual({
      ok: true,
      value: [
        {
          name: 'twx-a',
          mtuBytes: 1384,
          queuePackets: 1000,
          up: true,
          loopback: false,
          kind: 'vxlan',
          vxlan: { port: 4790, external: true, gpe: true },
        },
      ],
    });
    const addresses = parseAddresses(
      one(
        '[{"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"0"},{"family":"inet6","local":"2001:db8::1","prefixlen":64,"scope":"0","temporary":true},{"family":"inet6","local":"2001:db8::2","prefixlen":64,"scope":"0","tentative":true},{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"253"}]}]',
      ),
    );
    expect(addresses.ok && addresses.value.map((a) => [a.address, a.global, a.temporary])).toEqual([
      ['192.0.2.1', true, false],
      ['2001:db8::1', true, true],
      ['2001:db8::2', false, false],
      ['fe80::1', false, false],
    ]);
    expect(
      parseRules(
        one('[{"priority":8398,"src":"all","iif":"twx-a","iif_detached":null,"table":"8401","protocol":"84"}]'),
        4,
      ),
    ).toEqual({ ok: true, value: [{ family: 4, preference: 8398, iif: 'twx-a', table: 8401, protocol: 84 }] });
  });

  it('refuses what is not what it should be', () => {
    expect(parseIpBatch('[]\n', 2)).toEqual({ ok: false, reason: 'ip printed 1 arrays, not 2' });
    expect(parseIpBatch('oops', 1).ok).toBe(false);
    expect(parseIpBatch('{}', 1).ok).toBe(false);
    expect(parseNextHops([{ dev: 'tw0' }], new Set()).ok).toBe(false);
    expect(parseRoutes([{ dev: 'tw0' }]).ok).toBe(false);
  });

  it('leaves out the empty objects of a filtered dump', () => {
    expect(one('[{},{}]')).toEqual([]);
  });

  it('writes prefixes as ip does', () => {
    expect(canonicalPrefix('FD74:0:0::0001')).toBe('fd74::1/128');
    expect(canonicalPrefix('100.96.0.0/12')).toBe('100.96.0.0/12');
  });
});
