/** A certificate's life: when it is renewed, that it is over the wire against a real core, and what a wrong clock says. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateKeeper } from '../../../agent/certificate-keeper.ts';
import { openCoreStream } from '../../../agent/core-stream.ts';
import { IdentityStore } from '../../../agent/identity.ts';
import { joinNode } from '../../../agent/join.ts';
import { MeshAgent } from '../../../agent/mesh-agent.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { wireGuardPublicKey } from '../../../agent/wireguard-key.ts';
import { systemClock } from '../../../protocol/clock.ts';
import type { LogFields, Logger } from '../../../protocol/log.ts';
import { FakeOverlay } from '../../fake/fake-overlay.ts';
import { FakeProber } from '../../fake/fake-prober.ts';
import { ScriptedCore } from '../../fake/scripted-core.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

const HOUR_MS = 3_600_000;
let folder: string;
let identityStore: IdentityStore;
let logged: { readonly message: string; readonly fields: LogFields }[];
const at = (message: string, fields: LogFields = {}) => void logged.push({ message, fields });
const log: Logger = { debug: at, info: at, warn: at, error: at };
const certificate = async () => new X509Certificate(await readFile(identityStore.path('tls.crt'), 'utf8'));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-renewal-'));
  identityStore = new IdentityStore(join(folder, 'state'));
  logged = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('asks when two thirds are over by the clock of the core, whatever the clock of the device says', async () => {
  const core = new ScriptedCore(); // its certificates are in force from a day ago to a day ahead
  await core.start();
  try {
    await joinNode({ token: core.token(), stateDir: identityStore.stateDir, name: 'site-a' });
    const clock = new TurnedClock(Date.now());
    let asked = 0;
    const keeper = new CertificateKeeper({
      clock,
      log,
      identityStore,
      random: () => 0,
      sendRenewRequest: () => void asked++,
      sendTrustReport: () => {},
    });
    await keeper.load();
    await keeper.heardCore(clock.nowMs() + 7 * HOUR_MS);
    expect(asked).toBe(0);
    expect(logged.map(({ message, fields }) => [message, fields.reason])).toEqual([
      ["this device's clock is wrong", "this device's clock is 7 h behind the core's"],
    ]);
    await keeper.heardCore(clock.nowMs() + 9 * HOUR_MS);
    expect(asked).toBe(1);
    expect(logged, 'the clock is complained about once').toHaveLength(1);
  } finally {
    await core.stop();
  }
});

it('is renewed over the session; the old one and the new one open the next session', async () => {
  const core = await new TestCore().start({ nodeCertificateHours: 0.01, heartbeatMs: 100 });
  let agent: MeshAgent | undefined;
  try {
    await joinNode({ token: (await core.token()).token, stateDir: identityStore.stateDir, name: 'site-a' });
    const old = await identityStore.loadCredentials();
    const { serialNumber } = await certificate();
    const identity = await identityStore.loadJoined();
    agent = new MeshAgent(
      {
        clock: systemClock,
        log,
        overlay: new FakeOverlay(),
        createProber: () => new FakeProber(),
        open: openCoreStream,
        random: () => 0.1,
        instanceId: new Uint8Array(randomBytes(16)),
        identityStore,
        metrics: new AgentMetrics(),
      },
      {
        identity,
        publicKey: wireGuardPublicKey(await readFile(identityStore.path('wireguard.key'), 'utf8')),
        listenPort: 51820,
        transit: true,
        leafCapacity: 2000,
        stampPort: 862,
        detection: { guard: 'normal', packetsPerSecond: 500, processorShare: 0.1 },
        reconcileIntervalMs: 4000,
      },
    );
    await agent.start();
    await eventually('the renewal', async () => (await certificate()).serialNumber !== serialNumber);
    await agent.stop();
    const address = identity.coreAddresses[0] ?? '';
    for (const credentials of [await identityStore.loadCredentials(), old]) {
      await (await openCoreStream(address, credentials)).close();
    }
    expect(logged.map(({ message }) => message)).toContain('certificate renewed');
  } finally {
    await agent?.stop();
    await core.stop();
  }
});

it('a session that TLS refuses for its dates says by how much the clock is off, as the core tells it', async () => {
  const core = new ScriptedCore();
  await core.start();
  const ahead = new ScriptedCore({
    authority: core.authority,
    serverLife: [Date.now() + 4 * HOUR_MS, Date.now() + 9 * HOUR_MS],
  });
  await ahead.start();
  try {
    await joinNode({ token: core.token(), stateDir: identityStore.stateDir, name: 'site-a' });
    const credentials = await identityStore.loadCredentials();
    ahead.skewMs = 5 * HOUR_MS;
    await expect(openCoreStream(ahead.address, credentials)).rejects.toMatchObject({
      code: 'clock_skew',
      message: "this device's clock is 5 h behind the core's",
    });
    // A core whose own certificate is wrong, its clock being right.
    ahead.skewMs = 0;
    await expect(openCoreStream(ahead.address, credentials)).rejects.toMatchObject({
      code: 'clock_skew',
      message: `by this device's clock the certificate of the core at ${ahead.address} is not valid yet`,
    });
  } finally {
    await core.stop();
    await ahead.stop();
  }
});
