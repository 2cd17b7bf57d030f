/** Where the project's own files are, for what runs from the build (dist/, modules bundled) and from the sources (tests). */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ThalwegError } from './error.ts';

/** The folder of the package, without a slash at the end. */
export function projectRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    if (isOurs(join(folder, 'package.json')) || existsSync(join(folder, 'dist/cli/main.js'))) return folder;
    if (folder === dirname(folder)) {
      throw new ThalwegError('not_found', `neither a package.json of ours nor dist/ is above ${start}`, {
        nextStep: 'keep dist/ in the folder that it was built in',
      });
    }
  }
}

/** The path of a program as JavaScript, e.g. of `overlay/stamp/prober-worker`. Throws not_found when nothing is built. */
export function programFile(program: string): string {
  const path = join(projectRoot(), 'dist', `${program}.js`);
  if (existsSync(path)) return path;
  throw new ThalwegError('not_found', `the program ${path} is not there`, {
    nextStep: 'build the project: npm run build',
  });
}

function isOurs(file: string): boolean {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === 'thalweg';
  } catch {
    return false;
  }
}
