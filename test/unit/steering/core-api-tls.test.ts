/** The API over TLS, and the addresses on which it refuses to speak without. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../protocol/api-client.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { ApiCertificate } from '../../../steering/api/api-certificate.ts';
import type { ApiDeps } from '../../../steering/api/api-routes.ts';
import { ApiServer } from '../../../steering/api/api-server.ts';
import { writeSelfSigned } from '../../fake/self-signed.ts';
import { TestCore } from '../../fake/test-core.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

let directory: string;
let core: TestCore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'thalweg-api-tls-test-'));
  core = new TestCore();
});
afterEach(async () => {
  await core.stop();
  rmSync(directory, { recursive: true, force: true });
});

const target = () => `https://127.0.0.1:${core.running?.ports.api}`;

describe('with a certificate', () => {
  it('the API listens on any address, where a key is needed for everything but health', async () => {
    const { cert, key, pem: ca } = await writeSelfSigned(directory);
    await core.start({ api: '0.0.0.0:0', apiTlsCert: cert, apiTlsKey: key });
    const keyless = new ApiClient(target(), { ca });
    expect(await keyless.get('/healthz')).toEqual({ ok: true, checks: {} });
    for (const path of ['/metrics', '/v1/status', '/v1/nodes', '/v1/nope']) {
      await expect(keyless.get(path), path).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    const viewer = new ApiClient(target(), { ca, key: (await core.key('viewer')).key });
    expect(await viewer.get('/v1/nodes')).toEqual([]);
    await expect(viewer.post('/v1/tokens', {})).rejects.toMatchObject({ code: 'unauthorized' });
    const metrics = await viewer.get('/metrics').catch((cause: unknown) => cause);
    expect(metrics, 'text, not JSON').toMatchObject({ message: expect.stringContaining('200') });
  });

  it('speaks TLS 1.3 alone, and no HTTP in clear', async () => {
    const { cert, key, pem } = await writeSelfSigned(directory);
    await core.start({ apiTlsCert: cert, apiTlsKey: key });
    const port = core.running?.ports.api ?? 0;
    const old = await new Promise<string>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', ca: pem, maxVersion: 'TLSv1.2' }, () => resolve('connected'));
      socket.on('error', (cause: NodeJS.ErrnoException) => resolve(cause.code ?? cause.message));
    });
    expect(old).toMatch(/PROTOCOL_VERSION/);
    await expect(core.readApi.get('/healthz')).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is unharmed by what is no TLS, and by connections that say nothing', async () => {
    const { cert, key, pem: ca } = await writeSelfSigned(directory);
    await core.start({ apiTlsCert: cert, apiTlsKey: key });
    const port = core.running?.ports.api ?? 0;
    const silent = Array.from({ length: 50 }, () => connectPlain({ port, host: '127.0.0.1' }).on('error', () => {}));
    const ended = await Promise.all(
      ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff', '\x00'.repeat(5000)].map(
        (bytes) =>
          new Promise<string>((resolve) => {
            const socket = connectPlain({ port, host: '127.0.0.1' }, () => socket.end(bytes, 'latin1'));
            socket.on('error', () => {}).on('close', () => resolve('closed'));
            socket.resume();
          }),
      ),
    );
    expect(ended).toEqual(['closed', 'closed', 'closed']);
    expect(await new ApiClient(target(), { ca }).get('/healthz')).toMatchObject({ ok: true });
    for (const socket of silent) socket.destroy();
  });

  it('that the client does not trust, it says so', async () => {
    const { cert, key } = await writeSelfSigned(directory);
    await core.start({ apiTlsCert: cert, apiTlsKey: key });
    await expect(new ApiClient(target()).get('/healthz')).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('is not trusted'),
      nextStep: expect.stringContaining('--api-ca-file'),
    });
  });
});

describe('a core refuses to start', () => {
  it.each(['0.0.0.0:0', '[::]:0', '192.0.2.7:0'])('with its API on %s without TLS', async (api) => {
    await expect(core.start({ api })).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('is not loopback'),
      nextStep: expect.stringContaining('--api-tls-cert'),
    });
    await core.start();
  });

  it('with half a pair, files that are not there, or a key of another certificate', async () => {
    const { cert, key } = await writeSelfSigned(directory);
    const other = mkdtempSync(join(directory, 'other-'));
    const foreign = await writeSelfSigned(other);
    writeFileSync(join(directory, 'text'), 'no PEM');
    for (const [apiTlsCert, apiTlsKey, message] of [
      [cert, '', 'apiTlsKey is missing'],
      ['', key, 'apiTlsCert is missing'],
      [join(directory, 'nope'), key, 'cannot be read (ENOENT)'],
      [join(directory, 'text'), key, 'is no PEM certificate'],
      [cert, foreign.key, 'does not fit apiTlsCert'],
    ] as const) {
      const refused = core.start({ apiTlsCert, apiTlsKey });
      await expect(refused, message).rejects.toMatchObject({
        code: 'invalid_config',
        message: expect.stringContaining(message),
      });
    }
    await core.start({ apiTlsCert: cert, apiTlsKey: key });
  });
});

describe('a certificate that is renewed', () => {
  it('is taken within a minute; one that does not fit its key is not, and is told once', async () => {
    const { cert, key } = await writeSelfSigned(directory, 10);
    const clock = new TurnedClock();
    const logged: string[] = [];
    const log = { debug() {}, info: (m: string) => logged.push(m), warn: (m: string) => logged.push(m), error() {} };
    const certificate = new ApiCertificate({ clock, log }, { cert, key });
    const firstEndMs = certificate.expiresAtMs;
    let changes = 0;
    certificate.watch(() => changes++);
    clock.turn(60_000);
    expect([changes, logged]).toEqual([0, []]);
    writeFileSync(cert, (await writeSelfSigned(mkdtempSync(join(directory, 'other-')))).pem);
    clock.turn(120_000);
    expect([changes, certificate.expiresAtMs, logged]).toEqual([0, firstEndMs, ['api certificate cannot be taken']]);
    await writeSelfSigned(directory, 90);
    clock.turn(60_000);
    expect([changes, logged.at(-1)]).toEqual([1, 'api certificate changed']);
    expect(certificate.expiresAtMs).toBeGreaterThan(firstEndMs);
    certificate.stop();
    await writeSelfSigned(directory, 120);
    clock.turn(600_000);
    expect(changes).toBe(1);
  });

  it('is what the listener shows from then on', async () => {
    const first = await writeSelfSigned(directory, 10);
    const clock = new TurnedClock();
    // only connections are made: nothing behind the routes is needed
    const deps = { clock, log: silentLogger } as unknown as ApiDeps;
    const tcp = { field: 'api', host: '127.0.0.1', port: 0 };
    const limits = { keyless: true, requestsPerMinute: 1000 };
    const server = new ApiServer(deps, { tcp, tls: first, ...limits, socketPath: join(directory, 'api.sock') });
    await server.start();
    try {
      const before = await shown(server.port);
      await writeSelfSigned(directory, 90);
      expect(await shown(server.port)).toBe(before);
      clock.turn(60_000);
      expect(await shown(server.port)).not.toBe(before);
    } finally {
      await server.stop();
    }
  });
});

/** Fingerprint of the certificate that a port shows. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
