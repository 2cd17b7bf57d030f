/** The short form of `npm run -s bench -- core-kill`: a real core, real TLS, SIGKILL at random moments. */
import { mkdtempSync, rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { benchCoreKill } from '../../../bench/core-kill.ts';
import { buildChild, CHILD_PREFIX } from '../../fake/build-child.ts';

it('keeps every acknowledged join, removal and token over kills at any moment', async () => {
  const directory = mkdtempSync(CHILD_PREFIX);
  try {
    const result = await benchCoreKill({ rounds: 3, seed: 1, program: buildChild('cli/main.ts', directory) });
    expect(result.faults).toEqual([]);
    expect(result.joinsAcknowledged).toBeGreaterThan(3);
    expect(result.tokensAcknowledged).toBe(9);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, 120_000);
