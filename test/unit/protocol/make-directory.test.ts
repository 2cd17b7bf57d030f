import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDirectory } from '../../../protocol/make-directory.ts';

it('makes what is missing with the mode, and leaves what is there', () => {
  const root = mkdtempSync(join(tmpdir(), 'tw-dir-'));
  try {
    makeDirectory(join(root, 'a/b'), 0o700);
    makeDirectory(join(root, 'a/b'), 0o755);
    expect(statSync(join(root, 'a/b')).mode & 0o777).toBe(0o700);
  } finally {
    rmSync(root, { recursive: true });
  }
});

it.skipIf(!existsSync('/proc/self'))('ends with an error where the kernel lets nobody make one', () => {
  expect(() => makeDirectory('/proc/thalweg/x', 0o700)).toThrow(/ENOENT|EACCES|EPERM/);
});
