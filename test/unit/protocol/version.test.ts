import { expect, it } from 'vitest';
import { negotiateVersion } from '../../../protocol/version.ts';

it.each([
  [1, 1, 1, 1, 1],
  [1, 3, 2, 5, 3],
  [4, 9, 2, 5, 5],
  [1, 2, 3, 4, undefined], // an agent too old
  [5, 6, 3, 4, undefined], // an agent too new
  [3, 2, 1, 9, undefined], // not a range
])('theirs %i-%i, ours %i-%i: %s', (theirMin, theirMax, ourMin, ourMax, version) => {
  expect(negotiateVersion(theirMin, theirMax, ourMin, ourMax)).toBe(version);
});
