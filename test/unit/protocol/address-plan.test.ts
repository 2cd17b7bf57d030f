import { describe, expect, it } from 'vitest';
import {
  type AddressPlan,
  AddressRanges,
  DEFAULT_ADDRESS_PLAN,
  formatIPv6,
  parsePrefix,
  prefixesOverlap,
} from '../../../protocol/address-plan.ts';
import type { NodeIndex } from '../../../protocol/identifier.ts';

function ranges(plan: Partial<AddressPlan> = {}): AddressRanges {
  const parsed = AddressRanges.parse({ ...DEFAULT_ADDRESS_PLAN, ...plan });
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

describe('AddressRanges', () => {
  it.each([
    [1, '100.112.0.1', '100.96.0.1', 'fd74:6861:6c77::1'],
    [256, '100.112.1.0', '100.96.1.0', 'fd74:6861:6c77::100'],
    [1_048_574, '100.127.255.254', '100.111.255.254', 'fd74:6861:6c77::f:fffe'],
  ])('gives index %i its three addresses', (index, tunnel, node4, node6) => {
    const nodeIndex = index as NodeIndex;
    expect(ranges().tunnelAddress(nodeIndex)).toBe(tunnel);
    expect(ranges().node4Address(nodeIndex)).toBe(node4);
    expect(ranges().node6Address(nodeIndex)).toBe(node6);
  });

  it('gives blocks of nodes their prefixes', () => {
    expect(ranges().nodePrefixes(7)).toEqual(['100.96.0.7/32', 'fd74:6861:6c77::7/128']);
    expect(ranges().nodePrefixes(16, 4)).toEqual(['100.96.0.16/28', 'fd74:6861:6c77::10/124']);
  });

  it('is bounded by the smallest range', () => {
    expect(ranges().maxIndex).toBe(1_048_574);
    expect(ranges({ node4: '10.9.0.0/24' }).maxIndex).toBe(254);
  });

  it.each([
    [{ tunnel: '100.112.0.0' }, 'tunnel range: 100.112.0.0 is not in CIDR notation'],
    [{ tunnel: 'fd00::/64' }, 'tunnel range: fd00::/64 is not IPv4'],
    [{ node4: '100.96.0.1/12' }, 'did you mean 100.96.0.0/12?'],
    [{ node6: '10.0.0.0/8' }, 'node6 range: 10.0.0.0/8 is not IPv6'],
    [{ node4: '100.112.4.0/24' }, 'overlap'],
    [{ node4: '10.0.0.0/31' }, 'too small'],
  ])('refuses %j', (plan, reason) => {
    const parsed = AddressRanges.parse({ ...DEFAULT_ADDRESS_PLAN, ...plan });
    expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });
});

describe('parsePrefix', () => {
  it.each(['1.2.3.4/33', '1.2.3/24', '1.2.3.4/', '/8', '::/129', 'fd00::1::/64', '1.2.3.4/-1', 'x'.repeat(100)])(
    'refuses %s',
    (text) => expect(parsePrefix(text).ok).toBe(false),
  );

  it.each([
    ['10.0.0.0/8', '10.9.0.0/16', true],
    ['10.0.0.0/8', '11.0.0.0/8', false],
    ['0.0.0.0/0', '100.96.0.0/12', true],
    ['::/0', '10.0.0.0/8', false],
    ['fd00::/8', 'fd74::/16', true],
  ])('%s and %s overlap: %s', (a, b, overlap) => {
    const [left, right] = [parsePrefix(a), parsePrefix(b)];
    if (!left.ok || !right.ok) throw new Error('both are valid');
    expect(prefixesOverlap(left.value, right.value)).toBe(overlap);
  });
});

describe('formatIPv6', () => {
  it.each([
    [0n, '::'],
    [1n, '::1'],
    [0xfd00n << 112n, 'fd00::'],
    [0x20010db8_0000_0001_0000_0000_0000_0001n, '2001:db8:0:1::1'],
    [0x20010db8_0001_0001_0001_0001_0000_0001n, '2001:db8:1:1:1:1:0:1'],
  ])('%s is %s', (value, text) => expect(formatIPv6(value)).toBe(text));
});
