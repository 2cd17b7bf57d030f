/** Running programs during set-up. */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Runs a program with its output on our stderr.
 * @param {string} program @param {string[]} args @param {{ cwd?: string, env?: Record<string, string> }} [options]
 * @returns {Promise<number>} exit code; 127 when it could not be started
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...options.env };
    const child = spawn(program, args, { cwd: options.cwd, env, stdio: ['ignore', 2, 2] });
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** True when the program ran quietly and ended with 0. @param {string} program @param {string[]} args */
export function succeeds(program, args) {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/** @param {string} name @param {string} [path] as in $PATH @returns {boolean} whether an executable file of that name is on it */
export function isOnPath(name, path = process.env.PATH ?? '') {
  return path.split(delimiter).some((folder) => {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}
