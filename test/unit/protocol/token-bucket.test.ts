import { describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../protocol/token-bucket.ts';

/** How many single tokens can be taken at once. */
function drained(bucket: TokenBucket, nowMs: number): number {
  let count = 0;
  for (; bucket.holds(1, nowMs); count++) bucket.take(1, nowMs);
  return count;
}

describe('token bucket', () => {
  it('is full at first, earns at its rate, and saves no more than it may', () => {
    const bucket = new TokenBucket({ perS: 10, most: 5 }, 1000);
    expect(drained(bucket, 1000)).toBe(5);
    expect(drained(bucket, 1099)).toBe(0);
    expect(drained(bucket, 1200)).toBe(2);
    expect(drained(bucket, 60_000)).toBe(5);
  });

  it('is asked without being changed', () => {
    const bucket = new TokenBucket({ perS: 1000, most: 3 }, 0);
    expect([bucket.holds(3, 0), bucket.holds(3, 0), bucket.holds(3.5, 0)]).toEqual([true, true, false]);
    bucket.take(3, 0);
    expect([bucket.holds(0, 0), bucket.holds(2, 2), bucket.holds(2, 1)]).toEqual([true, true, false]);
  });

  it('earns a debt back first', () => {
    const bucket = new TokenBucket({ perS: 1, most: 2 }, 0);
    bucket.take(5, 0);
    expect([bucket.holds(0, 2999), bucket.holds(0, 3000), bucket.holds(1, 3999), bucket.holds(1, 4000)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it('earns nothing while time stands still or runs backwards', () => {
    const bucket = new TokenBucket({ perS: 1000, most: 5 }, 1000);
    expect(drained(bucket, 1000)).toBe(5);
    expect(bucket.holds(1, 0)).toBe(false);
  });

  it('goes by another rate from then on', () => {
    const bucket = new TokenBucket({ perS: 0, most: 2 }, 0);
    expect(drained(bucket, 1_000_000)).toBe(2);
    bucket.rate = { perS: 4, most: 8 };
    expect(drained(bucket, 1_001_000)).toBe(4);
    bucket.rate = { perS: 4, most: 1 };
    expect(drained(bucket, 2_000_000)).toBe(1);
  });
});
