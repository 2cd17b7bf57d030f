/**
 * The two commands of a fresh checkout: `npm start` and `npm test`. Plain JavaScript without dependencies, since
 * nothing is installed yet when it starts. Each step says on screen (stderr) what it does and why, does nothing when
 * there is nothing to do, and the last one hands over.
 *
 *   node cli/setup.mjs start [--keep] [--json]   set up, then the demonstration
 *   node cli/setup.mjs test [VITEST ARGUMENTS]   set up, then the tests
 *   node cli/setup.mjs bench NAME [OPTIONS]      set up, then one benchmark
 *   node cli/setup.mjs fuzz [OPTIONS]            set up, then the decoders under made-up inputs
 *   node cli/setup.mjs build                     set up only
 *
 * Exit codes: those of what it hands over to; 1 when npm or the build fails; 2 for a wrong argument; 5 when
 * Node, the platform, a privilege or a program is missing.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './setup/build.mjs';
import { handOver } from './setup/hand-over.mjs';
import { nodeFault, platformFault } from './setup/machine.mjs';
import { ensureNpmPackages } from './setup/npm-packages.mjs';
import { SetupError, say } from './setup/report.mjs';
import { ensureSystemPrograms, ensureTestPrograms, toolPath } from './setup/system-programs.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const USAGE =
  'usage: node cli/setup.mjs start [--keep] [--json] | test [vitest arguments] | bench NAME [options] | fuzz [options] | build';

/** @param {string[]} argv @returns {Promise<number>} exit code */
async function main(argv) {
  const [verb, ...rest] = argv;
  if (verb !== 'start' && verb !== 'test' && verb !== 'bench' && verb !== 'fuzz' && verb !== 'build') {
    throw new SetupError(2, USAGE);
  }
  const fault = nodeFault(process.versions.node) ?? platformFault(process.platform);
  if (fault !== undefined) throw new SetupError(5, fault);
  process.chdir(root);
  process.env.PATH = toolPath(root, process.env.PATH ?? '');
  await ensureNpmPackages(root);
  await ensureSystemPrograms({ guest: verb === 'test' });
  if (verb === 'test' || verb === 'build') await ensureTestPrograms(root);
  await ensureBuilt(root, { check: true });
  if (verb === 'build') return 0;
  const programs = {
    start: ['dist/cli/main.js', 'lab', 'demo'],
    bench: ['dist/bench/main.js'],
    fuzz: ['dist/bench/fuzz/fuzz-program.js'],
    test: ['node_modules/vitest/vitest.mjs', 'run'],
  };
  const [program = '', ...args] = programs[verb];
  return handOver(process.execPath, [join(root, program), ...args, ...rest]);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = error.exitCode;
}
