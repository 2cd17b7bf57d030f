/** Whatever becomes of the process that builds a lab, nothing of the lab stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, removeLab } from '../../netlab/lab.ts';
import { silentLogger } from '../../protocol/log.ts';
import { buildChild, CHILD_PREFIX } from '../fake/build-child.ts';
import { distDir, isRoot, specOf, tracesOf } from './fabric-lab.ts';

const DEADLINE_MS = 30_000;

let directory = '';
let labModule = '';
beforeAll(() => {
  directory = mkdtempSync(CHILD_PREFIX);
  labModule = buildChild('netlab/lab.ts', directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A process that brings a lab up and stays. Writes `up` when it is. */
function builder(name: string): ChildProcess {
  const script = `
    const { Lab } = await import(${JSON.stringify(pathToFileURL(labModule).href)});
    const shape = { oneWayDelayUs: 1000, jitterUs: 0, lossPpm: 0, rateBps: null, cut: false };
    const hosts = ['a', 'b', 'c', 'd'].map((host) => ({ name: host, transit: true }));
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const spec = { name: ${JSON.stringify(name)}, hosts, links: () => shape, core: {}, agent: {}, keepOnExit: false };
    const lab = await Lab.up(spec, { log });
    lab.spawn('a', ['sleep', '1000'], { stdio: 'ignore' });
    process.stdout.write('up\\n');
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await sleep(20);
  }
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<NodeJS.Signals | null> {
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, by) => resolve(by)));
  child.kill(signal);
  return ended;
}

describe.skipIf(!isRoot)('the builder dies', () => {
  test('by SIGKILL when the lab is up', async () => {
    const child = builder('fab-kill');
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    expect(tracesOf('fab-kill').length).toBeGreaterThan(6);
    await kill(child, 'SIGKILL');
    await until('nothing is left', () => tracesOf('fab-kill').length === 0);
  });

  test.each([120, 200, 280, 360, 450, 600])('by SIGKILL in the middle of up, %i ms after its start', async (ms) => {
    const child = builder('fab-mid');
    await sleep(ms);
    await kill(child, 'SIGKILL');
    await until('nothing is left', () => tracesOf('fab-mid').length === 0);
    // And it stays so: what was under way, such as a reaper that was just starting, comes and goes.
    await sleep(1000);
    await until('nothing is left', () => tracesOf('fab-mid').length === 0);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('by %s: it removes the lab before it ends', async (signal) => {
    const child = builder('fab-sig');
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    expect(await kill(child, signal)).toBe(signal);
    await until('the reaper has ended', () => tracesOf('fab-sig').length === 0);
  });
});

describe.skipIf(!isRoot)('removeLab', () => {
  test('works without a readable state file', async () => {
    const lab = await Lab.up(specOf('fab-torn', ['a', 'b'], { oneWayDelayUs: 100 }, { keepOnExit: true }), {
      log: silentLogger,
      distDir,
    });
    writeFileSync('/run/thalweg-lab/fab-torn/state.json', '{"version":1,"na');
    expect((await removeLab('fab-torn')).removed.length).toBeGreaterThan(4);
    expect(tracesOf('fab-torn')).toEqual([]);
    await lab.down();
  });

  test('removes a directory that was only claimed', async () => {
    mkdirSync('/run/thalweg-lab/fab-claim', { recursive: true });
    expect((await removeLab('fab-claim')).removed).toEqual(['directory /run/thalweg-lab/fab-claim']);
    expect(tracesOf('fab-claim')).toEqual([]);
  });
});
