/** Where a program file of the project is as JavaScript, from a built tree and from sources (tests) alike. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ThalwegError } from '../../protocol/error.ts';

/**
 * `file` is relative to the project's root, e.g. `netlab/traffic/traffic-sink.js`. Throws not_found when running from
 * sources and nothing is built.
 */
export function programPath(file: string): string {
  const built = import.meta.url.endsWith('.js');
  const path = fileURLToPath(new URL(`${built ? '../../' : '../../dist/'}${file}`, import.meta.url));
  if (existsSync(path)) return path;
  throw new ThalwegError('not_found', `the program ${path} is not there`, {
    nextStep: 'build the project: npm run build',
  });
}
