/** Lab tests start the real programs from dist/: make it from the sources under test. */
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from '../../cli/setup/build.mjs';

export async function setup(): Promise<void> {
  // Without type check: that is what `npm test` and .ci/run do before they start the tests.
  await ensureBuilt(fileURLToPath(new URL('../..', import.meta.url)), { check: false });
}
