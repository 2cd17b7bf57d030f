/**
 * The model of the rollout, checked by spin: every order of every event within the bounds, and that each rule is needed (a model
 * without it is refuted). Needs Debian's `spin`, and a C compiler. docs/generations.md has the figures.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MODEL = join(import.meta.dirname, '../../../steering/rollout/model/two-planes.pml');
const text = readFileSync(MODEL, 'utf8');

/** States that are reached at 200 bytes each and a table of 2^22; more is an error, not a longer wait. */
const MEMORY_MB = 1024;
const NO_FAULTS = { MOVES: 1, BREAKS: 0, COPIES: 0, CORE_KILLS: 0, AGENT_KILLS: 0 };

const missing = ['spin', 'gcc'].filter((program) => spawnSync(program, ['--version']).error !== undefined);
if (missing.length > 0) {
  console.warn(
    `the model of the rollout is not checked: ${missing.join(' and ')} missing; apt-get install spin gcc libc6-dev`,
  );
}

describe('states', () => {
  it('have the names that the implementation uses', () => {
    const names = (source: string, pattern: RegExp) =>
      (pattern.exec(source)?.[1] ?? '').split(/[\s,|']+/).filter((name) => name !== '');
    const rollout = readFileSync(join(MODEL, '../../rollout.ts'), 'utf8');
    const phases = names(rollout, /export type RolloutPhase = ([^;]+);/);
    expect(phases).toEqual(['idle', 'preparing', 'switching', 'draining']);
    expect(names(text, /mtype:phase = \{([^}]+)\}/)).toEqual(phases);
    // each of them is entered, and nothing else is
    expect(new Set([...text.matchAll(/\bphase = (\w+)/g)].map(([, name]) => name))).toEqual(new Set(phases));
    const words = names(text, /mtype:word = \{([^}]+)\}/);
    const keeper = readFileSync(join(MODEL, '../../../../agent/table-keeper.ts'), 'utf8');
    for (const word of words) expect(keeper).toContain(`case: '${word}'`);
  });
});

describe.skipIf(missing.length > 0)('the model', { timeout: 400_000 }, () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'thalweg-model-'));
    copyFileSync(MODEL, join(folder, 'model.pml'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Compiles a verifier for the bounds and runs it to its end, or to the first error. */
  function check(bounds: Partial<typeof NO_FAULTS>, mutant?: string): { errors: number; states: number; said: string } {
    const defines = Object.entries({ ...NO_FAULTS, ...bounds }).map(([name, value]) => `-D${name}=${value}`);
    if (mutant !== undefined) defines.push(`-D${mutant}`);
    const options = { cwd: folder, encoding: 'utf8' as const, maxBuffer: 16 * 1024 * 1024 };
    execFileSync('spin', [...defines, '-a', 'model.pml'], options);
    const flags = [mutant === undefined ? '-O2' : '-O1', '-w', '-DSAFETY', `-DMEMLIM=${MEMORY_MB}`, '-DVECTORSZ=2048'];
    execFileSync('gcc', [...flags, '-o', 'pan', 'pan.c'], options);
    const { stdout } = spawnSync('./pan', ['-m200000', '-w22'], options);
    const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
    expect(stdout, 'the search came to its end').not.toMatch(/reached -DMEMLIM|max search depth too small/);
    return { errors: number(/errors: (\d+)/), states: number(/(\d+) states, stored/), said: stdout };
  }

  it.each([
    ['two moves, a session that breaks at any time', { MOVES: 2, BREAKS: 1 }],
    ['a move, a core that is killed at any time', { CORE_KILLS: 1 }],
    ['a move, a node that is switched off and on, a session that breaks', { AGENT_KILLS: 1, BREAKS: 1 }],
    ['a move, a message that comes twice', { COPIES: 1 }],
  ])('no packet meets two generations or goes round, and all comes to rest: %s', (_, bounds) => {
    const { errors, states, said } = check(bounds);
    expect(errors, said.slice(0, 2000)).toBe(0);
    // a guard that is never true would leave little to look at
    expect(states).toBeGreaterThan(50_000);
  });

  it.each([
    ['MUTANT_NO_ACKNOWLEDGEMENT', {}],
    ['MUTANT_RETIRE_BEFORE_SWITCH', {}],
    ['MUTANT_NO_WRITE_AHEAD', { CORE_KILLS: 1 }],
    ['MUTANT_ACKNOWLEDGED_BEFORE_REMEMBERED', { AGENT_KILLS: 1 }],
    ['MUTANT_WORD_OF_A_BUSY_AGENT', { MOVES: 2, BREAKS: 1 }],
  ])('is refuted as %s', (mutant, bounds) => {
    expect(text).toMatch(new RegExp(`^#ifn?def ${mutant}$`, 'm'));
    const { errors, said } = check(bounds, mutant);
    expect(errors).toBe(1);
    expect(said).toMatch(/assertion violated/);
  });
});
