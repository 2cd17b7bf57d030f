/** Which room may import which, and why not the others. */
import { expect, test } from 'vitest';
import { importsOf, ROOMS, type Room, sourceFiles, withoutCommentsAndStrings } from './source-tree.ts';

/** What each room may import beside itself, and the reason for what it may not. */
const TABLE: Readonly<Record<Room, { readonly may: readonly Room[]; readonly reason: string }>> = {
  protocol: { may: [], reason: 'protocol/ is what all programs agree on: it imports nothing of ours' },
  overlay: { may: ['protocol'], reason: 'overlay/ knows one host and its kernel, not who decides what it should hold' },
  steering: {
    may: ['protocol'],
    reason: 'steering/ must run on virtual time with a million synthetic nodes: it never learns that wg or ip exist',
  },
  agent: {
    may: ['protocol', 'overlay'],
    reason:
      'agent/ and steering/ meet only in the messages of protocol/, so that either can be replaced or upgraded alone',
  },
  netlab: {
    may: ['protocol', 'steering'],
    reason: 'netlab/ starts core and agents as programs, as a person would; it must not reach into them',
  },
  cli: { may: ['protocol', 'overlay', 'steering', 'agent', 'netlab'], reason: '' },
};

/** The parts of steering/ that are pure, which the lab's expectations and the simulator may use. */
const PURE_STEERING =
  /^steering\/(graph|spf|traffic-engineering|link-state|rib|session-plan|rollout|fleet|cost|incumbency|engine|metric|load)[/.-]|^steering\/(steering-engine|demand\/demand-matrix)/;

const files = sourceFiles();

test('there are files in every room', () => {
  for (const room of ROOMS) expect(files.filter((file) => file.room === room).length, room).toBeGreaterThan(0);
});

test('each room imports only what it may', () => {
  const faults = files.flatMap((file) =>
    file.imports.flatMap(({ path }) => {
      const target = path?.split('/')[0] as Room | undefined;
      if (path === null || target === undefined) return [];
      if (!ROOMS.includes(target)) return [`${file.path} imports ${path}, which is in no room`];
      if (target === file.room || TABLE[file.room].may.includes(target)) return [];
      return [`${file.path} imports ${path}: ${TABLE[file.room].reason}`];
    }),
  );
  expect(faults).toEqual([]);
});

test("netlab uses steering's pure parts only", () => {
  const faults = files
    .filter((file) => file.room === 'netlab')
    .flatMap((file) => file.imports.map(({ path }) => [file.path, path] as const))
    .filter(([, path]) => path?.startsWith('steering/') && !PURE_STEERING.test(path))
    .map(([from, path]) => `${from} imports ${path}, which is not a pure part of steering`);
  expect(faults).toEqual([]);
});

test('cli loads the programs only when they run', () => {
  const faults = files
    .filter((file) => file.room === 'cli')
    .flatMap((file) =>
      withStaticImports(file.text)
        .filter((path) => /^\.\.\/(\.\.\/)?(agent|steering|netlab|overlay)\//.test(path))
        .map((path) => `${file.path} imports ${path} statically: an agent must not load the core or the lab`),
    );
  expect(faults).toEqual([]);
});

function withStaticImports(text: string): string[] {
  const statics = text.replace(/\bimport\(/g, 'dynamic(');
  return importsOf('cli/x/y.ts', statics)
    .filter((found) => !found.typeOnly)
    .map((found) => found.specifier);
}

test('the finder sees every way to import', () => {
  const text = `import a from '../agent/a.ts';
import type { B } from '../agent/b.ts';
import {
  c,
} from '../agent/c.ts';
export { d } from '../agent/d.ts';
import '../agent/e.ts';
const f = await import('../agent/f.ts');
new Worker(new URL('../agent/g.ts', import.meta.url));`;
  const found = importsOf('steering/x.ts', text);
  expect(found.map(({ path }) => path)).toEqual('abcdefg'.split('').map((letter) => `agent/${letter}.ts`));
  expect(found.filter(({ typeOnly }) => typeOnly).length).toBe(1);
  expect(withoutCommentsAndStrings(`a(); // Date.now\n'Date.now' /* x\ny */ b`)).toBe(
    `a();            \n               \n     b`,
  );
});
