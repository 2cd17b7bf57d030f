import { describe, expect, it } from 'vitest';
import { bitRateFault, parseBitRate } from '../../../protocol/bit-rate.ts';

describe('parseBitRate', () => {
  it.each([
    ['100mbit', 100e6],
    ['1gbit', 1e9],
    ['1.5Gbit', 1.5e9],
    ['64kbit', 64e3],
    ['10tbit', 1e13],
  ])('reads %s', (text, bps) => {
    expect(parseBitRate(text)).toEqual({ ok: true, value: bps });
  });

  it.each([
    '',
    '100',
    '-100mbit',
    'fast',
    '1e9mbit',
    '1 gbit',
    '100mbyte',
    'NaNmbit',
    '0mbit',
    '7kbit',
    '11tbit',
    '99999999gbit',
  ])('refuses %j and repeats it', (text) => {
    const parsed = parseBitRate(text);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.reason).toContain(text);
  });

  it('says of a negative one that it is negative', () => {
    expect(parseBitRate('-5mbit')).toMatchObject({ reason: expect.stringContaining('negative') });
  });

  it.each([Number.NaN, -1, 0, 1e14, Number.POSITIVE_INFINITY])('takes no capacity of %d bit/s', (bps) => {
    expect(bitRateFault(bps)).toContain('bit/s');
  });
});
