/** The real program's output: a reader that goes away, and a place that takes nothing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildChild, CHILD_PREFIX } from '../../fake/build-child.ts';

let built: string;
let program: string;
beforeAll(() => {
  built = mkdtempSync(CHILD_PREFIX);
  program = buildChild('cli/main.ts', built);
});
afterAll(() => rmSync(built, { recursive: true, force: true }));

/** Runs a line of bash in which `thalweg` is the program. */
function bash(line: string) {
  const script = `set -o pipefail; thalweg() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  return spawnSync('bash', ['-c', script], { encoding: 'utf8' });
}

test('whole on a pipe and in a file', () => {
  const run = bash('thalweg completion bash | tail -n 1; thalweg --version > /dev/null');
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toContain('thalweg');
});

test('a reader that goes away is no error', () => {
  for (const line of ['thalweg completion bash | head -n 1', 'thalweg --help | true', 'thalweg nosuch --json | true']) {
    const run = bash(`${line} > /dev/null; echo "\${PIPESTATUS[0]}"`);
    expect(run.stderr, line).toBe('');
    expect(['0\n', '2\n'], line).toContain(run.stdout);
  }
});

test('output that cannot be written is an error, not silence', () => {
  for (const line of ['thalweg --version', 'thalweg completion bash', 'thalweg --help']) {
    const run = bash(`${line} > /dev/full`);
    expect(run.status, line).toBe(1);
    expect(run.stderr, line).toMatch(/^thalweg: the output cannot be written: ENOSPC/);
  }
});
