/**
 * The comparison with routing daemons, as small as it gets, and what is left when it dies:
 *
 *      r            babeld on each host, a WireGuard tunnel per link
 *    / | \          a - b is cut once
 *   a --- b
 *    \ | /
 *      s
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { PeersResult } from '../../bench/peers/peers-bench.ts';
import { distDir, isRoot, tracesOf } from './fabric-lab.ts';

const DEADLINE_MS = 60_000;
const hasBabeld = spawnSync('babeld', ['-V']).error === undefined;
if (!hasBabeld) process.stderr.write('SKIPPED: babeld is not installed: apt-get install babeld\n');
const argv = ['peers', '--scenario', 'cut', '--contestants', 'babeld-100ms', '--count', '1', '--json'];
const start = () =>
  spawn(process.execPath, [join(distDir, 'bench/main.js'), ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });

describe.skipIf(!isRoot || !hasBabeld)('babeld over tunnels', () => {
  test('repairs a cut link, takes it back, and leaves nothing', async () => {
    const child = start();
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.resume();
    await new Promise((resolve) => child.once('close', resolve));
    const { results } = JSON.parse(output) as PeersResult;
    expect(results.map(({ problem }) => problem)).toEqual([undefined]);
    const [sample] = results[0]?.samples ?? [];
    expect(sample).toMatchObject({ recovered: true, returned: true });
    // two hellos of 0.1 s have to be missed; 20 s is what a machine that stands still takes
    expect(sample?.outageMs).toBeGreaterThan(50);
    expect(sample?.outageMs).toBeLessThan(20_000);
    expect(tracesOf(`peers-${child.pid}`)).toEqual([]);
  });

  test('leaves nothing when it is killed while traffic flows', async () => {
    const child = start();
    let said = '';
    child.stdout.resume();
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const name = `peers-${child.pid}`;
    await until('babeld runs', () => {
      if (child.exitCode !== null) throw new Error(`the comparison ended early: ${said}`);
      const pids = spawnSync('ip', ['netns', 'pids', `tw-${name}-a`]).stdout.toString();
      return pids.split('\n').length > 6;
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await until('nothing is left', () => tracesOf(name).length === 0);
  });
});

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await sleep(100);
  }
}
