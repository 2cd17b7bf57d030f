/** What tests on a real nats-server need: that there is one, and the thread that speaks to it. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll } from 'vitest';

/** False, and a line that says which `tests` are skipped: there is no nats-server here. */
export function hasNatsServer(tests: string): boolean {
  try {
    execFileSync('nats-server', ['--version']);
    return true;
  } catch {
    console.warn(`SKIPPED: ${tests}, without nats-server (Debian's package nats-server)`);
    return false;
  }
}

/**
 * The thread's entry, which is there from before the file's first test until after its last one. Built, since Node 20
 * cannot load a `.ts` file in a worker. Call it at the top of a test file.
 */
export function builtNatsWorker(): URL {
  // Made with the worker: where all tests of a file are skipped, nothing would take it away again.
  const folder = join(tmpdir(), `thalweg-nats-worker-${randomUUID()}`);
  const file = join(folder, 'nats-worker.mjs');
  beforeAll(async () => {
    mkdirSync(folder, { mode: 0o700 });
    const input = fileURLToPath(new URL('../../steering/store/nats/nats-worker.ts', import.meta.url));
    const build = await rolldown({ input, platform: 'node' });
    await build.write({ file, format: 'esm', codeSplitting: false });
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return pathToFileURL(file);
}
