/** Compiles a program of the tests and what it imports: a child process cannot load TypeScript by itself on Node 20. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where directories for `buildChild` are made: below node_modules, so that the child finds the packages. */
export const CHILD_PREFIX = join(ROOT, 'node_modules', '.thalweg-child-');

/** Path of the JavaScript made from `source` (relative to the checkout) in `directory`. Takes about a second. */
export function buildChild(source: string, directory: string): string {
  const options = ['--ignoreConfig', '--noCheck', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  const paths = ['--rewriteRelativeImportExtensions', '--rootDir', ROOT, '--outDir', directory, join(ROOT, source)];
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), [...options, ...paths], { cwd: ROOT, stdio: 'inherit' });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  return join(directory, source.replace(/ts$/, 'js'));
}
