/**
 * The underlay on real packets, without core and agents:
 *
 *   a ---- b      every pair has a link of its own, each direction with its own shape
 *    \    /
 *     core
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Lab, listLabs } from '../../netlab/lab.ts';
import { labDown, labExec, labStatus } from '../../netlab/lab-commands.ts';
import { silentLogger } from '../../protocol/log.ts';
import { distDir, isRoot, ping, rootInterfaces, specOf, tracesOf, withLab } from './fabric-lab.ts';

describe.skipIf(!isRoot)('wire', () => {
  test('delays frames by what was asked for, from the next frame on', async () => {
    await withLab(specOf('fab-delay', ['a', 'b'], { oneWayDelayUs: 2500 }), async (lab) => {
      expect(lab.driver).toBe('wire');
      await ping(lab, 'a', 'b', 100);
      const five = await ping(lab, 'a', 'b', 100);
      expect(five.rttsMs.length).toBe(100);
      expect(five.p50Ms).toBeGreaterThan(4);
      expect(five.p50Ms).toBeLessThan(8);
      await lab.setLink('a', 'b', { oneWayDelayUs: 50_000 });
      const degraded = await ping(lab, 'a', 'b', 20);
      expect(degraded.p50Ms).toBeGreaterThan(51);
      expect(degraded.p50Ms).toBeLessThan(57);
      expect(lab.link('a', 'b').oneWayDelayUs).toBe(50_000);
      expect(lab.link('b', 'a').oneWayDelayUs).toBe(2500);
    });
  });

  test('cuts one direction and heals it', async () => {
    await withLab(specOf('fab-cut', ['a', 'b'], { oneWayDelayUs: 1000 }), async (lab) => {
      await lab.setLink('a', 'b', { cut: true });
      expect((await ping(lab, 'a', 'b', 3)).rttsMs).toEqual([]);
      // The other direction still carries: b's requests arrive at a, whose replies are cut off.
      const before = await receivedBy(lab, 'a');
      await ping(lab, 'b', 'a', 5);
      expect((await receivedBy(lab, 'a')) - before).toBe(5);
      expect((await ping(lab, 'a', 'core', 3)).rttsMs.length).toBe(3);
      await lab.setLink('a', 'b', { cut: false });
      expect((await ping(lab, 'a', 'b', 3)).rttsMs.length).toBe(3);
    });
  });

  test('loses about the share that was asked for', async () => {
    await withLab(specOf('fab-loss', ['a', 'b'], { oneWayDelayUs: 500 }), async (lab) => {
      await lab.setLink('a', 'b', { lossPpm: 300_000 });
      const { rttsMs } = await ping(lab, 'a', 'b', 300, 0.005);
      expect(rttsMs.length).toBeGreaterThan(150);
      expect(rttsMs.length).toBeLessThan(260);
    });
  });

  test('a host that lost its power forgets its kernel state and comes back', async () => {
    await withLab(specOf('fab-power', ['a', 'b'], { oneWayDelayUs: 500 }), async (lab) => {
      await lab.exec('b', ['ip', 'route', 'add', '10.9.9.0/24', 'dev', 'eth0']);
      const sleeper = lab.spawn('b', ['sleep', '1000'], { stdio: 'ignore' });
      const ended = new Promise((resolve) => sleeper.once('exit', (_code, signal) => resolve(signal)));
      await lab.powerOff('b');
      expect(await ended).toBe('SIGKILL');
      expect((await ping(lab, 'a', 'b', 3)).rttsMs).toEqual([]);
      await lab.powerOn('b');
      expect((await ping(lab, 'a', 'b', 3)).rttsMs.length).toBe(3);
      expect((await lab.exec('b', ['ip', 'route', 'show'])).stdout).not.toContain('10.9.9.0');
    });
  });
});

describe.skipIf(!isRoot)('plain', () => {
  test('is chosen without delay; cuts, loses and limits the rate', async () => {
    await withLab(specOf('fab-plain', ['a', 'b'], {}), async (lab) => {
      expect(lab.driver).toBe('plain');
      expect((await ping(lab, 'a', 'b', 20)).p50Ms).toBeLessThan(1);
      await lab.setLink('a', 'b', { cut: true });
      expect((await ping(lab, 'a', 'b', 3)).rttsMs).toEqual([]);
      await lab.setLink('a', 'b', { cut: false, lossPpm: 500_000 });
      const lossy = await ping(lab, 'a', 'b', 200, 0.002);
      expect(lossy.rttsMs.length).toBeGreaterThan(60);
      expect(lossy.rttsMs.length).toBeLessThan(140);
      // A request of 9,000 bytes is 7 frames: 74 ms at 1 Mbit/s less the first frame; the reply is not slowed.
      await lab.setLink('a', 'b', { lossPpm: 0, rateBps: 1_000_000 });
      const slow = await ping(lab, 'a', 'b', 5, 0.2, 9000);
      expect(slow.p50Ms).toBeGreaterThan(50);
      expect(slow.p50Ms).toBeLessThan(150);
      expect((await ping(lab, 'a', 'core', 5, 0.2, 9000)).p50Ms).toBeLessThan(40);
      await expect(lab.setLink('a', 'b', { oneWayDelayUs: 5 })).rejects.toMatchObject({ code: 'invalid_argument' });
    });
  });
});

describe.skipIf(!isRoot)('lifecycle', () => {
  test('two labs at once do not meet, even where one name continues the other; down leaves nothing', async () => {
    const interfaces = rootInterfaces();
    await withLab(specOf('fab-two', ['a', 'b'], { oneWayDelayUs: 500 }), async (first) => {
      await withLab(specOf('fab-two-x', ['a', 'b'], { oneWayDelayUs: 5000 }), async (second) => {
        const [fast, slow] = await Promise.all([ping(first, 'a', 'b', 50), ping(second, 'a', 'b', 50)]);
        expect(fast.p50Ms).toBeLessThan(5);
        expect(slow.p50Ms).toBeGreaterThan(9);
        const names = (await listLabs()).map((lab) => lab.name);
        expect(names).toEqual(expect.arrayContaining(['fab-two', 'fab-two-x']));
        await first.down();
        expect((await ping(second, 'a', 'b', 3)).rttsMs.length).toBe(3);
      });
    });
    expect([...tracesOf('fab-two'), ...tracesOf('fab-two-x')]).toEqual([]);
    expect(rootInterfaces()).toEqual(interfaces);
  });

  test('a name that is taken is refused, and the lab that has it stays', async () => {
    await withLab(specOf('fab-taken', ['a'], {}), async (lab) => {
      await expect(Lab.up(specOf('fab-taken', ['a'], {}), { log: silentLogger, distDir })).rejects.toMatchObject({
        code: 'already_exists',
        message: expect.stringContaining('a lab named fab-taken is there already'),
      });
      expect((await ping(lab, 'a', 'core', 2)).rttsMs.length).toBe(2);
    });
  });

  test('a build that fails on its way leaves nothing', async () => {
    const failing = specOf('fab-fail', ['a', 'b'], { oneWayDelayUs: 1 }, { driver: 'plain' });
    await expect(Lab.up(failing, { log: silentLogger, distDir })).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(tracesOf('fab-fail')).toEqual([]);
  });

  test('down twice gives the same report', async () => {
    const lab = await Lab.up(specOf('fab-down', ['a'], {}), { log: silentLogger, distDir });
    const first = await lab.down();
    expect(first.removed.length).toBeGreaterThan(3);
    expect(await lab.down()).toEqual(first);
    expect(await labDown({ name: 'fab-down' })).toEqual([{ name: 'fab-down', removed: [] }]);
  });

  test('another process attaches: exec, status, link changes, down', async () => {
    const up = await Lab.up(specOf('fab-attach', ['a', 'b'], { oneWayDelayUs: 500 }), { log: silentLogger, distDir });
    try {
      const other = await Lab.find('fab-attach');
      await other.setLink('a', 'b', { oneWayDelayUs: 20_000 });
      expect((await ping(up, 'a', 'b', 5)).p50Ms).toBeGreaterThan(19);
      const argv = ['sh', '-c', 'exit 7'];
      expect(await labExec({ name: 'fab-attach', host: 'a', argv, stdio: 'ignore' })).toEqual({ exitCode: 7 });
      const [status] = await labStatus({ name: 'fab-attach' });
      expect(status).toMatchObject({ driver: 'wire', state: 'up', hosts: ['a', 'b', 'core'] });
      expect(status?.links).toContainEqual(expect.objectContaining({ from: 'a', to: 'b', oneWayDelayUs: 20_000 }));
      await expect(Lab.find('fab-none')).rejects.toMatchObject({ code: 'not_found' });
      await expect(other.setLink('a', 'zz', { cut: true })).rejects.toMatchObject({ code: 'not_found' });
    } finally {
      await labDown({ name: 'fab-attach' });
    }
    expect(tracesOf('fab-attach')).toEqual([]);
  });
});

describe.skipIf(!isRoot)('programs', () => {
  test('a core that ends at once is an error with what it wrote; so is a join without a core', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'fab-broken-'));
    try {
      mkdirSync(join(broken, 'cli'));
      symlinkSync(join(distDir, 'netlab'), join(broken, 'netlab'));
      writeFileSync(join(broken, 'cli', 'main.js'), "console.error('no ' + 'spoon'); process.exit(3);");
      const lab = await Lab.up(specOf('fab-broken', ['a'], {}), { log: silentLogger, distDir: broken });
      try {
        await expect(lab.startCore()).rejects.toThrow(/core.*exit code 3.*no spoon/s);
        await expect(lab.join('a')).rejects.toMatchObject({ code: 'unreachable' });
        await expect(lab.startAgent('a')).rejects.toMatchObject({ code: 'not_joined' });
        await lab.stopCore('SIGTERM');
      } finally {
        await lab.down();
      }
    } finally {
      rmSync(broken, { recursive: true });
    }
  });
});

/** ICMP echo requests that the host has taken in. */
async function receivedBy(lab: Lab, host: string): Promise<number> {
  const { stdout } = await lab.exec(host, ['grep', 'Icmp:', '/proc/net/snmp']);
  const [names = '', values = ''] = stdout.trim().split('\n');
  return Number(values.split(' ')[names.split(' ').indexOf('InEchos')]);
}
