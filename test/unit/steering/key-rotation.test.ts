/** A node changes its WireGuard key; it, or the core, may be killed at every step of it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { generateWireGuardKey, wireGuardPublicKey } from '../../../agent/wireguard-key.ts';
import type { AuditView, NodeView } from '../../../protocol/api.ts';
import { publicKeyToBytes } from '../../../protocol/identifier.ts';
import type { TestAgent, TestSession } from '../../fake/test-agent.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';
import { TestDevice } from '../../fake/test-device.ts';

let folder: string;
let core: TestCore;
let device: TestDevice;
let peer: TestAgent;
let session: TestSession;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thalweg-key-rotation-'));
  core = await new TestCore().start({ heartbeatMs: 200 });
  device = await new TestDevice(join(folder, 'a')).join((await core.token()).token, 'a');
  peer = await core.agent('peer');
  session = await peer.open();
});
afterEach(async () => {
  session.close();
  await device.stop();
  await core.stop();
  rmSync(folder, { recursive: true, force: true });
});

const rotate = (name = 'a') => core.api.post<NodeView>(`/v1/nodes/${name}/key`, {});
const coreKey = async () => (await core.api.get<NodeView>('/v1/nodes/a')).publicKey;
const path = (file: 'wireguard.key' | 'wireguard-next.key' | 'wireguard-previous.key') => device.store.path(file);
const settled = () =>
  eventually('all have one key', async () => {
    const key = await coreKey();
    const isLeft = existsSync(path('wireguard-next.key')) || existsSync(path('wireguard-previous.key'));
    return key === device.fileKey && key === device.kernelKey && !isLeft;
  });
/** The key of the node as the peer was told it last. */
const toldPeer = async (wanted: string) => {
  for (;;) {
    const { set } = await session.next('peerUpdate');
    const [node] = set;
    if (node !== undefined && Buffer.from(node.publicKey).toString('base64') === wanted) return;
  }
};

it('is changed when an operator asks: device first, then the peers, and the audit says so', async () => {
  await device.connect();
  const before = device.fileKey;
  const order: string[] = [];
  device.apply = async () => {
    order.push((await coreKey()) === before ? 'the device before the core' : 'too late');
    expect(wireGuardPublicKey(readFileSync(path('wireguard-previous.key'), 'utf8'))).toBe(before);
    for (const file of ['wireguard.key', 'wireguard-previous.key'] as const) {
      expect(statSync(path(file)).mode & 0o777, file).toBe(0o600);
    }
    device.kernelKey = device.fileKey;
  };
  await rotate();
  await eventually('another key', async () => (await coreKey()) !== before);
  await settled();
  await toldPeer(device.fileKey);
  expect(order).toEqual(['the device before the core']);
  const [change, asked] = await core.api.get<AuditView[]>('/v1/audit');
  expect(change).toMatchObject({ kind: 'node_key_changed', name: 'a', by: 'device' });
  expect(asked).toMatchObject({ kind: 'node_key_asked', name: 'a' });
  expect(asked?.by).not.toBe('device');
  expect(JSON.stringify(core.logged)).not.toContain(readFileSync(path('wireguard.key'), 'utf8').trim());
  // and it stays over a restart of both
  await device.stop();
  await core.restart({ listen: `127.0.0.1:${core.port}` });
  await device.connect();
});

it('goes on when the node was killed after it had the key in its file, and the core knew it only as the next one', async () => {
  await device.connect();
  const before = device.fileKey;
  device.apply = () => new Promise(() => {});
  await rotate();
  await eventually('the file', () => device.fileKey !== before && !existsSync(path('wireguard-next.key')));
  expect(await coreKey()).toBe(before);
  const after = await again();
  await after.connect();
  await settled();
  await toldPeer(device.fileKey);
});

it('goes on when the core was killed after it had accepted the next key', async () => {
  const port = core.port;
  await device.connect();
  const before = device.fileKey;
  const apply = device.apply;
  device.apply = async () => {
    await core.running?.stop();
    return apply();
  };
  await rotate();
  await eventually('the device has it', () => device.kernelKey !== before);
  await core.start({ listen: `127.0.0.1:${port}` });
  await settled();
  expect(await coreKey()).not.toBe(before);
});

it('proposes the key again that it had made before it was killed', async () => {
  const next = generateWireGuardKey();
  writeFileSync(path('wireguard-next.key'), `${next}\n`, { mode: 0o600 });
  await device.connect();
  await eventually('the next key', async () => (await coreKey()) === wireGuardPublicKey(next));
  await settled();
});

it('is changed by age, and not before', async () => {
  device.lifetimeMs = 1000 * 3600_000;
  await device.connect();
  const before = device.fileKey;
  await device.stop();
  expect(device.fileKey).toBe(before);
  const old = Date.now() / 1000 - 1101 * 3600;
  utimesSync(path('wireguard.key'), old, old);
  const after = await again();
  after.lifetimeMs = 1000 * 3600_000;
  await after.connect();
  await eventually('another key', async () => (await coreKey()) !== before);
  await settled();
});

it('is asked only of a node that is there and knows how; others are told why not', async () => {
  await expect(rotate()).rejects.toMatchObject({ code: 'conflict', message: 'node a is offline' });
  await expect(rotate('peer')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('cannot') });
  await expect(rotate('nobody')).rejects.toMatchObject({ code: 'not_found' });
});

it('is refused where another node has the key, and a key that was never proposed ends the session', async () => {
  session.send({ case: 'keyProposal', value: { publicKey: publicKeyToBytes(await asKey()) } });
  expect((await session.next('keyTurn')).step).toBe(4);
  session.send({ case: 'keyProposal', value: { publicKey: new Uint8Array(32) } });
  expect((await session.next('keyTurn')).step).toBe(4);
  session.send({ case: 'keyInUse', value: { publicKey: new Uint8Array(32).fill(7) } });
  expect((await session.ended()).refusal?.code).toBe('certificate_invalid');
});

const asKey = async () => device.fileKey;

/** The same device, as its program starts anew: nothing but its files is left of it. */
async function again(): Promise<TestDevice> {
  // what a kill leaves open ends with the connection
  void device.stop();
  device = new TestDevice(device.store.stateDir);
  return device;
}
