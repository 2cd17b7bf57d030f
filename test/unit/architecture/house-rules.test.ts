/** Rules of the house that the linter cannot say. The adapters are those that biome.json exempts: one list for both. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, sourceFiles } from './source-tree.ts';

const files = sourceFiles();

/** The globs of biome.json: `*` within a folder, `**` across folders. */
function matchesGlob(path: string, glob: string): boolean {
  const pattern = glob.replace(/[.+]/g, '\\$&').replace(/\*\*\/?|\*/g, (star) => (star === '*' ? '[^/]*' : '.*'));
  return new RegExp(`^${pattern}$`).test(path);
}

interface BiomeConfig {
  readonly overrides: readonly { readonly includes: readonly string[] }[];
}
const biome = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')) as BiomeConfig;
/** Files that may touch the clock, chance, the environment, processes and datagram sockets. */
const adapters = biome.overrides[0]?.includes ?? [];

const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\(/, 'the wall clock comes in through Clock, so that a test can turn it'],
  [/\bnew Date\(\)/, 'the wall clock comes in through Clock, so that a test can turn it'],
  [/\bperformance\.now\(|\bprocess\.hrtime/, 'the monotonic clock comes in through Clock'],
  [/\bMath\.random\(/, 'chance comes in as a function, so that a run can be repeated from its seed'],
  [/\bsetTimeout\(|\bsetInterval\(|\bsetImmediate\(/, 'timers come in through Clock'],
  [/\bprocess\.env\b/, 'the environment is read where a program starts'],
];

test('clock, chance, timers and environment are touched by adapters only', () => {
  const faults = files
    .filter((file) => !adapters.some((glob) => matchesGlob(file.path, glob)))
    .flatMap((file) =>
      file.code
        .split('\n')
        .flatMap((line, i) =>
          BANNED.filter(([pattern]) => pattern.test(line.replace(/\.setTimeout\(/g, '('))).map(
            ([, reason]) => `${file.path}:${i + 1} ${line.trim()}: ${reason}`,
          ),
        ),
    );
  expect(faults).toEqual([]);
});

test('every adapter that biome.json names exists', () => {
  const missing = adapters.filter((glob) => !files.some((file) => matchesGlob(file.path, glob)));
  expect(missing).toEqual([]);
});

test('one noun per file: no drawers for odds and ends', () => {
  const drawer = /(^|[/-])(utils?|helpers?|common|types|managers?|misc|shared)[./-]/;
  expect(files.map((file) => file.path).filter((path) => drawer.test(path))).toEqual([]);
});

test('no file is over 400 lines', () => {
  const long = files
    .filter((file) => !file.path.startsWith('protocol/gen/'))
    .map((file) => [file.path, file.text.split('\n').length] as const)
    .filter(([, lines]) => lines > 400)
    .map(([path, lines]) => `${path} has ${lines} lines: which second noun crept in?`);
  expect(long).toEqual([]);
});

test('nothing is left for later', () => {
  const words = /\b(TODO|FIXME|XXX|HACK)\b/;
  const faults = files.flatMap((file) =>
    file.text.split('\n').flatMap((line, i) => (words.test(line) ? [`${file.path}:${i + 1} ${line.trim()}`] : [])),
  );
  expect(faults).toEqual([]);
});

describe('packages', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const named = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });

  test('the lock file names no registry host, so that it installs from any mirror', () => {
    expect(lock).not.toContain('"resolved"');
  });

  test('the lock file holds the packages of every platform', () => {
    const { packages } = JSON.parse(lock) as { packages: Record<string, { optionalDependencies?: object }> };
    const missing = Object.values(packages).flatMap((entry) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((name) => packages[`node_modules/${name}`] === undefined),
    );
    expect(missing, 'npm ci refuses a lock file without them; an npm install at a partial mirror drops them').toEqual(
      [],
    );
  });

  test('docs/dependencies.md says why for every dependency, and for none that is gone', () => {
    const page = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8').split('## Programs of the system')[0] ?? '';
    const explained = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '');
    expect(explained.toSorted()).toEqual(named.toSorted());
  });

  test('every imported package is a dependency', () => {
    const imported = new Set(
      files
        .filter((file) => !file.path.startsWith('cli/setup/')) // builds, with what is installed for that
        .flatMap((file) => file.imports)
        .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map(({ specifier }) =>
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        ),
    );
    const missing = [...imported].filter((name) => manifest.dependencies?.[name] === undefined);
    expect(missing).toEqual([]);
  });
});

test('licence and readme are there', () => {
  expect(existsSync(join(ROOT, 'LICENSE')) && existsSync(join(ROOT, 'README.md'))).toBe(true);
});

test('every page that the documentation links to exists', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)];
  const missing = pages
    .filter((page) => page.endsWith('.md'))
    .flatMap((page) =>
      [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#:]+)[^):]*\)/g)]
        .filter((match) => !existsSync(join(ROOT, dirname(page), match[1] ?? '')))
        .map((match) => `${page} links to ${match[1]}`),
    );
  expect(missing).toEqual([]);
});
