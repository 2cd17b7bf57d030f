/** What a core knows after it was stopped, and after it was killed in the middle of joins. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeView, TokenView } from '../../../protocol/api.ts';
import { SqliteStore } from '../../../steering/store/sqlite-store.ts';
import { buildChild, CHILD_PREFIX } from '../../fake/build-child.ts';
import { TestAgent } from '../../fake/test-agent.ts';
import { TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

it('keeps nodes, addresses, token uses and identities over a restart', async () => {
  const { token } = await core.token({ uses: 2 });
  const agent = new TestAgent(core.port);
  await agent.join(token, { name: 'a' });
  const session = await agent.open();
  await core.agent('b');
  const before = await core.api.get<NodeView[]>('/v1/nodes');
  await core.restart();
  expect((await session.ended()).closeCode).toBe(1012);
  const after = await core.api.get<NodeView[]>('/v1/nodes');
  const fixed = ({ id, name, index, publicKey, endpoints, transit }: NodeView) => ({
    id,
    name,
    index,
    publicKey,
    endpoints,
    transit,
  });
  expect(after.map(fixed)).toEqual(before.map(fixed));
  expect((await core.api.get<TokenView[]>('/v1/tokens'))[0]).toMatchObject({ uses: 2, used: 1 });
  // the same certificate, the same CA
  const again = new TestAgent(core.port);
  Object.assign(again, { caPem: agent.caPem, tlsKey: agent.tlsKey, certificatePem: agent.certificatePem });
  Object.assign(again, { wireguardKey: agent.wireguardKey, joined: agent.joined });
  await again.open();
});

it('lets the index of a removed node rest, also over a restart', async () => {
  await core.agent('a');
  await core.agent('b');
  await core.api.delete('/v1/nodes/a');
  expect((await core.agent('c')).joined?.index).toBe(3);
  await core.restart();
  expect((await core.agent('d')).joined?.index).toBe(4);
  expect((await core.agent('a')).joined?.index).toBe(5);
});

it('refuses other address ranges while nodes have addresses of the first', async () => {
  await core.restart({ node4Range: '10.200.0.0/16' });
  await core.agent('a');
  const change = { node4Range: '10.201.0.0/16' };
  await expect(core.restart(change)).rejects.toMatchObject({
    code: 'invalid_config',
    message: expect.stringContaining('10.200.0.0/16'),
  });
  await core.start({ node4Range: '10.200.0.0/16' });
});

it('says addresses_exhausted when the ranges are full', async () => {
  await core.restart({ node4Range: '10.200.0.0/30' });
  await core.agent();
  await core.agent();
  await expect(core.agent()).rejects.toThrow('addresses_exhausted');
});

/**
 * A child admits nodes as fast as it can and prints each one that was committed; it is killed at a moment of chance.
 * After each round every printed node must be there, no token overused, no index twice.
 */
it('loses nothing it has confirmed and gives nothing twice when killed, 20 times', async () => {
  const stateDir = mkdtempSync(CHILD_PREFIX);
  const program = buildChild('test/fake/admitting-store.ts', stateDir);
  const confirmed = new Set<string>();
  try {
    for (let round = 0; round < 20; round++) {
      const child = spawn(process.execPath, [program, join(stateDir, 'state')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      await new Promise<void>((resolve, reject) => {
        child.on('error', reject);
        child.stdout.on('data', (chunk: Buffer) => {
          const isFirst = text === '';
          text += chunk.toString();
          if (isFirst) setTimeout(() => child.kill('SIGKILL'), Math.random() * 40);
        });
        child.on('close', () => resolve());
      });
      for (const line of text.split('\n').slice(0, -1)) confirmed.add(line);
      const store = new SqliteStore({ monoMs: () => performance.now() }, { stateDir: join(stateDir, 'state') });
      const nodes = store.nodes();
      const tokens = store.tokens();
      store.close();
      const present = new Set<string>(nodes.map(({ name }) => name));
      expect([...confirmed].filter((name) => !present.has(name))).toEqual([]);
      expect(new Set(nodes.map(({ index }) => index)).size).toBe(nodes.length);
      for (const { id, uses, used } of tokens) {
        expect(used).toBeLessThanOrEqual(uses);
        expect(nodes.filter(({ tokenId }) => tokenId === id)).toHaveLength(used);
      }
    }
    expect(confirmed.size).toBeGreaterThan(20);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}, 60_000);
