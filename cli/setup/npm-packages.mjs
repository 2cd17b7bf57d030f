/**
 * npm packages from the lock file. npm itself leaves a stamp, node_modules/.package-lock.json, as the last act of an
 * installation: it lists what is there. Set-up compares that with package-lock.json and installs only on a difference.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError, say } from './report.mjs';
import { run } from './subprocess.mjs';

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} LockEntry
 * @typedef {{ packages?: Record<string, LockEntry> }} LockFile
 */

/**
 * Why node_modules is not what the lock file asks for, or undefined when it is. Packages for other platforms
 * (`optional`) may be absent.
 * @param {LockFile} wanted package-lock.json
 * @param {LockFile | undefined} installed node_modules/.package-lock.json; undefined when there is none
 * @returns {string | undefined}
 */
export function npmDifference(wanted, installed) {
  if (installed?.packages === undefined) return 'no npm packages are installed yet';
  for (const [path, entry] of Object.entries(wanted.packages ?? {})) {
    if (path === '') continue;
    const name = path.replace(/^.*node_modules\//, '');
    const there = installed.packages[path];
    if (there === undefined) {
      if (entry.optional || entry.devOptional) continue;
      return `the lock file asks for ${name}, which is not installed`;
    }
    if (there.version !== entry.version || there.integrity !== entry.integrity) {
      return `the lock file asks for ${name} ${entry.version}, ${there.version} is installed`;
    }
  }
  const extra = Object.keys(installed.packages).find((path) => wanted.packages?.[path] === undefined);
  return extra === undefined ? undefined : `${extra} is installed and not in the lock file`;
}

/** @param {string} root the checkout */
export async function ensureNpmPackages(root) {
  const wanted = readJson(join(root, 'package-lock.json'));
  if (wanted === undefined)
    throw new SetupError(1, 'package-lock.json is missing or damaged: restore it from the repository');
  const why = npmDifference(wanted, readJson(join(root, 'node_modules/.package-lock.json')));
  if (why === undefined) return;
  say(`${why}: npm ci`);
  // Install scripts stay off: no dependency needs one here (docs/dependencies.md).
  const code = await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: root });
  if (code === 127)
    throw new SetupError(
      5,
      'npm is missing: install it (Debian: apt-get install npm), then run the same command again',
    );
  if (code !== 0) throw new SetupError(1, `npm ci failed with exit code ${code}: its reason is above`);
}

/** @param {string} file @returns {LockFile | undefined} */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
