import { describe, expect, it } from 'vitest';
import { VICTIMS } from '../../../bench/solver-failover.ts';
import { oneOf } from '../../../bench/values.ts';

describe('a word of several', () => {
  it('is what was given, or the first where nothing was', () => {
    expect(oneOf({ victim: 'holder' }, 'victim', VICTIMS)).toBe('holder');
    expect(oneOf({ victim: 'solver' }, 'victim', VICTIMS)).toBe('solver');
    expect(oneOf({}, 'victim', VICTIMS)).toBe('solver');
  });

  it.each(['', 'Holder', 'agent', 'solver,holder'])('is not %j: it says which there are', (victim) => {
    expect(() => oneOf({ victim }, 'victim', VICTIMS)).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: `--victim ${victim} is not one of: solver, holder`,
        nextStep: 'give --victim solver|holder',
      }),
    );
  });
});
