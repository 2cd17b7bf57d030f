import { availableParallelism } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tools that set-up unpacked into the checkout (promtool), and system folders that an ordinary user's PATH leaves out.
const tools = join(fileURLToPath(new URL('.', import.meta.url)), '.tools/bin');
const PATH = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', tools].join(delimiter);

export default defineConfig({
  test: {
    passWithNoTests: false,
    env: { PATH },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/{unit,property,contract}/**/*.test.ts'],
          setupFiles: ['test/property-seed.ts'],
          sequence: { groupOrder: 0 },
          // The default leaves one processor free; test files wait for ports, disks and timers half of their time.
          maxWorkers: Math.max(2, availableParallelism()),
          // Loading a whole program takes seconds on a small machine that runs other tests beside it.
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          // Real programs in real namespaces: one at a time, since each takes what the machine has, and after the rest.
          sequence: { groupOrder: 1 },
          // What they measure shares two CPUs with whatever else the machine does: one bad moment is not a fault.
          retry: 1,
          maxWorkers: 1,
          fileParallelism: false,
          globalSetup: ['test/lab/build-programs.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'guest',
          include: ['test/guest/**/*.test.ts'],
          // Last: where there is a limit of time (THALWEG_TEST_UNTIL), an emulated machine that would pass it is left out.
          sequence: { groupOrder: 2 },
          retry: 1,
          globalSetup: ['test/lab/build-programs.ts'],
        },
      },
    ],
  },
});
