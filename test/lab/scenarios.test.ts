/** Scenarios run whole, as a user runs them: what each expects is in its file, and must be met. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { ScenarioResult } from '../../netlab/scenario/scenario-result.ts';
import { distDir, isRoot, tracesOf } from './fabric-lab.ts';

const run = promisify(execFile);

describe.skipIf(!isRoot)('thalweg lab run', () => {
  it.each([
    ['steer-short', join(import.meta.dirname, 'steer-short.yaml')],
    ['core-away-short', join(import.meta.dirname, 'core-away-short.yaml')],
    ['reroute-short', join(import.meta.dirname, 'reroute-short.yaml')],
    ['failures-short', join(import.meta.dirname, 'failures-short.yaml')],
  ])(
    '%s meets what it expects and leaves nothing behind',
    async (name, file) => {
      const argv = [join(distDir, 'cli/main.js'), 'lab', 'run', file, '--json'];
      // A missed expectation is exit code 1, with the result on standard output all the same.
      const { stdout } = await run(process.execPath, argv, { timeout: 240_000, maxBuffer: 64 * 1024 * 1024 }).catch(
        (failure: { stdout: string; stderr: string }) => failure,
      );
      const result = JSON.parse(stdout) as ScenarioResult;
      // Also where a second attempt passes: what was missed the first time is worth knowing.
      if (!result.ok) console.warn(`${name} missed: ${result.reasons?.join('; ') ?? stdout.slice(0, 500)}`);
      expect(result).toMatchObject({ scenario: name, reasons: [], ok: true });
      expect(tracesOf(name)).toEqual([]);
    },
    300_000,
  );
});
