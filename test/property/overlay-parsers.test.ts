/** Whatever a program prints, a parser returns a value or a reason. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isIpChangeOfInterest, isNftChangeOfInterest } from '../../overlay/kernel-watch.ts';
import { parseNftTable } from '../../overlay/nft/nft-json.ts';
import {
  canonicalPrefix,
  parseAddresses,
  parseIpBatch,
  parseLinks,
  parseNextHops,
  parseRoutes,
  parseRules,
} from '../../overlay/route/kernel-snapshot.ts';
import { parseRemembered } from '../../overlay/sysctl/host-settings.ts';
import { parseWgDump } from '../../overlay/wireguard/wg-dump.ts';

const keys = fc.constantFrom(
  'id', 'dst', 'dev', 'group', 'protocol', 'table', 'metrics', 'mtu', 'ifname', 'flags', 'linkinfo', 'info_data',
  'addr_info', 'family', 'local', 'prefixlen', 'priority', 'iif', 'set', 'elem', 'chain', 'rule', 'nftables', 'counter',
); // biome-ignore format: a list of words
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('inet', 'inet6', 'vxlan', 'default', 'fd00::1', '100.96.0.1', '84'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 6 }),
  ),
})).value;
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  json.map((value) => JSON.stringify(value)),
  fc.array(fc.dictionary(keys, json), { maxLength: 4 }).map((value) => JSON.stringify(value)),
  json.map((value) => JSON.stringify({ nftables: [value, { set: { name: 'x', elem: [value, { elem: value }] } }] })),
  fc.array(fc.string(), { maxLength: 9 }).map((fields) => `a\tb\t1\toff\n${fields.join('\t')}`),
);

describe('parsers of program output', () => {
  it('never throw', () => {
    fc.assert(
      fc.property(text, (input) => {
        for (const count of [0, 1, 2]) {
          const batch = parseIpBatch(input, count);
          if (!batch.ok) continue;
          for (const items of batch.value) {
            for (const parse of [parseLinks, parseAddresses, parseRoutes]) expect(parse(items)).toHaveProperty('ok');
            expect(parseRules(items, 4)).toHaveProperty('ok');
            expect(parseNextHops(items, new Set([1]))).toHaveProperty('ok');
          }
        }
        expect(parseWgDump(input)).toHaveProperty('ok');
        expect(parseNftTable(input)).toHaveProperty('ok');
        expect(Array.isArray(parseRemembered(input))).toBe(true);
        expect(typeof canonicalPrefix(input)).toBe('string');
        expect(typeof isIpChangeOfInterest(input)).toBe('boolean');
        expect(typeof isNftChangeOfInterest(input)).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });
});
