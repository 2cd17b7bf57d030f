/**
 * Type check and bundle into dist/, skipped while the sources are what they were at the last build.
 * The stamp dist/.stamp holds a hash over the sources and whether they were type-checked.
 */
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError, say } from './report.mjs';
import { run } from './subprocess.mjs';

const STAMP = 'dist/.stamp';
const SETTINGS = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'cli/setup/build.mjs'];
/** Sources that something starts: each becomes a file of its own in dist/, at the same place. */
const PROGRAM = /(^|\/|-)(main|program|worker)\.ts$/;

/**
 * Whether dist/ has to be made again. Pure.
 * @param {string | undefined} stamp content of dist/.stamp @param {string} hash of the sources @param {boolean} check
 */
export function buildIsDue(stamp, hash, check) {
  const [stampHash, mode] = (stamp ?? '').trim().split(' ');
  return stampHash !== hash || (check && mode !== 'checked');
}

/** SHA-256 over names and contents of everything that decides what dist/ holds. @param {string} root */
export function sourceHash(root) {
  const config = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  const rooms = /** @type {string[]} */ (config.include);
  const files = [...SETTINGS, ...rooms.flatMap((room) => sourcesUnder(root, room))].sort();
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/**
 * Builds dist/ when it is due. `check: false` builds without type check, for tests of a tree that is being worked on.
 * @param {string} root @param {{ check: boolean }} options
 */
export async function ensureBuilt(root, { check }) {
  const hash = sourceHash(root);
  if (!buildIsDue(readStamp(root), hash, check)) return;
  say(check ? 'type check and build' : 'build');
  rmSync(join(root, STAMP), { force: true }); // a build that fails or is interrupted is no build
  if (check) {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const argv = [compiler, '-p', 'tsconfig.build.json', '--noEmit'];
    const code = await run(process.execPath, argv, { cwd: root });
    if (code !== 0) throw new SetupError(1, `the build failed with exit code ${code}: the compiler's words are above`);
  }
  await bundle(root);
  chmodSync(join(root, 'dist/cli/main.js'), 0o755);
  writeFileSync(join(root, STAMP), `${hash} ${check ? 'checked' : 'unchecked'}\n`);
}

/**
 * Bundles every program with what it imports: a start reads a few files instead of some 400, and takes half the time.
 * Readable, so that a stack trace names functions. Packages with native code stay where npm put them.
 * @param {string} root
 */
async function bundle(root) {
  const { rolldown } = await import('rolldown');
  const config = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  const rooms = /** @type {string[]} */ (config.include);
  const programs = rooms.flatMap((room) => sourcesUnder(root, room)).filter((file) => PROGRAM.test(file));
  const dist = join(root, 'dist');
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(programs.map((file) => [file.slice(0, -'.ts'.length), join(root, file)])),
    platform: 'node',
    external: [/^@photostructure\/sqlite/, 'bufferutil', 'utf-8-validate'],
    onLog: (level, log) => {
      if (level === 'warn' && log.code !== 'EVAL') say(log.message);
    },
  });
  rmSync(dist, { recursive: true, force: true });
  await build.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
  });
  await build.close();
}

/** @param {string} root @returns {string | undefined} */
function readStamp(root) {
  try {
    return readFileSync(join(root, STAMP), 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {string} root @param {string} room @returns {string[]} */
function sourcesUnder(root, room) {
  try {
    return readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${room}/${name}`);
  } catch {
    return []; // a room without files yet
  }
}
