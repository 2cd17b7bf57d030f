import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentConfigSchema } from '../../../agent/agent-config.ts';
import { takeDown } from '../../../agent/agent-down.ts';
import { lockStateDir, runningAgent } from '../../../agent/agent-lock.ts';
import { readSmallFile, writeFileAtomically } from '../../../agent/atomic-file.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { MetricsServer } from '../../../agent/metrics-server.ts';
import { TableStore } from '../../../agent/table-store.ts';
import { generateWireGuardKey, wireGuardPublicKey } from '../../../agent/wireguard-key.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { deltaFrom, RouteTable } from '../../../protocol/route-table.ts';
import { FakeOverlay } from '../../fake/fake-overlay.ts';
import { UNMEASURED } from '../../fake/fake-prober.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'thalweg-files-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('writeFileAtomically', () => {
  it('replaces whole files, with the mode asked for, and leaves nothing else', async () => {
    await writeFileAtomically(join(dir, 'a'), 'one', 0o600);
    await writeFileAtomically(join(dir, 'a'), 'two', 0o600);
    expect(await readFile(join(dir, 'a'), 'utf8')).toBe('two');
    expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual(['a']);
  });

  it('says which file could not be written', async () => {
    const path = join(dir, 'no/such');
    await expect(writeFileAtomically(path, '', 0o600)).rejects.toMatchObject({
      code: 'storage_failed',
      fields: { path },
    });
  });
});

describe('readSmallFile', () => {
  it('says that it may not read, not that it may not write', async () => {
    await writeFile(join(dir, 'file'), '');
    const fault = await readSmallFile(join(dir, 'file/below'), 10).catch((cause: unknown) => cause);
    expect(fault).toMatchObject({ code: 'storage_failed', message: expect.stringContaining('cannot read') });
  });
});

describe('TableStore', () => {
  it('goes on from memory when the disk refuses, counts it, and writes the last state once it can', async () => {
    const failures: string[] = [];
    const store = new TableStore(
      { log: silentLogger, onWriteFailed: (code) => failures.push(code) },
      { stateDir: join(dir, 'gone') },
    );
    const table = new RouteTable();
    const state = { table, peers: [], savedAtUnixMs: 1, coreClockUnixMs: 2 };
    store.save(state);
    await store.flush();
    expect(failures).toEqual(['storage_failed']);
    await writeFile(join(dir, 'keep'), '');
    const working = new TableStore({ log: silentLogger, onWriteFailed: () => {} }, { stateDir: dir });
    table.apply(
      deltaFrom(
        table,
        3n,
        [
          {
            table: 'source',
            destination: 2,
            blockBits: 0,
            plane: null,
            nextHops: [{ neighbour: 2, weight: 1 }],
            backups: [],
          },
        ],
        [],
      ),
    );
    for (let i = 0; i < 20; i++) working.save(state);
    await working.flush();
    expect((await working.load())?.table.checksum).toBe(table.checksum);
  });
});

describe('lockStateDir', () => {
  it('lets one agent in, and the next after it left', async () => {
    const unlock = await lockStateDir(dir);
    await expect(lockStateDir(dir)).rejects.toMatchObject({ code: 'conflict', fields: { pid: process.pid } });
    expect(await runningAgent(dir)).toEqual({ pid: process.pid });
    await unlock();
    expect(await readdir(dir)).toEqual([]);
    await (await lockStateDir(dir))();
  });

  it('takes over from a process that is gone, also where its number was given anew', async () => {
    for (const content of ['999999 1\n', `${process.pid} 1\n`, 'garbage']) {
      await writeFile(join(dir, 'agent.pid'), content);
      await (await lockStateDir(dir))();
    }
  });
});

describe('takeDown', () => {
  it('removes kernel state, and the identity only when told to', async () => {
    const overlay = new FakeOverlay();
    overlay.base = 'something';
    await writeFile(join(dir, 'identity.json'), '{}');
    await writeFile(join(dir, 'tls.key'), 'secret');
    expect(await takeDown({ stateDir: dir, forget: false }, overlay)).toEqual({ changes: ['link del tw0'] });
    expect(await readdir(dir)).toContain('tls.key');
    expect(await takeDown({ stateDir: dir, forget: true }, overlay)).toEqual({
      changes: ['file remove identity.json', 'file remove tls.key'],
    });
    expect(await readdir(dir)).toEqual([]);
    expect(await takeDown({ stateDir: join(dir, 'nothing'), forget: true }, overlay)).toEqual({ changes: [] });
  });
});

describe('WireGuard keys', () => {
  it('are those of `wg pubkey`', (context) => {
    const key = generateWireGuardKey();
    const wg = spawnSync('wg', ['pubkey'], { input: `${key}\n`, encoding: 'utf8' });
    if (wg.error !== undefined) context.skip('wg is not installed');
    expect(wireGuardPublicKey(key)).toBe(wg.stdout.trim());
  });
});

describe('agentConfigSchema', () => {
  it('has the documented defaults and refuses unknown keys', () => {
    expect(agentConfigSchema.parse({})).toMatchObject({
      stateDir: '/var/lib/thalweg',
      listenPort: 51_820,
      stampPort: 862,
    });
    expect(agentConfigSchema.safeParse({ listenport: 1 }).success).toBe(false);
    expect(agentConfigSchema.safeParse({ metrics: 'everywhere' }).success).toBe(false);
  });
});

describe('metrics', () => {
  const filled = (peers: number): AgentMetrics => {
    const metrics = new AgentMetrics();
    const link = { ...UNMEASURED, health: 'up', rttUs: 20_000, jitterUs: 3, lossOutPpm: 1, peerIndex: 2 } as const;
    metrics.observe(() => ({
      peers: Array.from({ length: peers }, (_, i) => ({
        name: `site-${i}`,
        link,
        handshakeAgeS: 3,
        receivedBytes: 1,
        sentBytes: 2,
      })),
      tableGeneration: 7n,
      tableRows: 3,
      tableAgeS: 1.5,
      repairedRows: 0,
      policy: { generation: 3n, active: true, rules: 2, denied: { packets: 5, bytes: 300 } },
      sessionState: 'established',
      eventLoopLagMs: 2,
      proberLagMs: 1,
      coreClockSkewMs: null,
    }));
    metrics.reconnected('unreachable');
    metrics.applied('changed', 12, 2);
    metrics.repairedLocally();
    metrics.tableWriteFailed('disk_full');
    metrics.probed({ sent: 10, received: 9, reflected: 8, doubts: 2, lost: 1, dropped: { malformed: 1 }, maxLagMs: 1 });
    metrics.probed({ sent: 12, received: 9, reflected: 8, doubts: 2, lost: 1, dropped: { malformed: 1 }, maxLagMs: 1 });
    return metrics;
  };

  it('are what promtool wants', async (context) => {
    const text = await filled(3).registry.metrics();
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    if (promtool.error !== undefined) context.skip('promtool is not installed');
    expect(`${promtool.stdout}${promtool.stderr}`).toBe('');
    expect(promtool.status).toBe(0);
  });

  it('count increases, leave out what is unknown, and bound their labels', async () => {
    const text = await filled(3).registry.metrics();
    expect(text).toContain('thalweg_agent_probes_sent_total 12');
    expect(text).toContain('thalweg_agent_link_rtt_seconds{peer="site-2"} 0.02');
    expect(text).not.toContain('thalweg_agent_link_loss_in_ratio{');
    expect(await filled(65).registry.metrics()).not.toContain('peer="');
  });

  it('are served, and a port in use names the field', async () => {
    const metrics = filled(1);
    const health = () => ({ ok: false, checks: {} });
    const server = new MetricsServer({ metrics: () => metrics.registry.metrics(), health }, { listen: '127.0.0.1:0' });
    await server.start();
    try {
      const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
      expect(await answer.text()).toContain('thalweg_agent_peers 1');
      expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(503);
      expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(404);
    } finally {
      await server.stop();
    }
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const listen = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    await expect(new MetricsServer({ metrics: async () => '', health }, { listen }).start()).rejects.toMatchObject({
      code: 'port_in_use',
      fields: { field: 'metrics' },
    });
    await new Promise((resolve) => other.close(resolve));
  });
});
