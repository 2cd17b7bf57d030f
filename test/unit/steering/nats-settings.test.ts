import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeLogEntry, encodeLogEntry } from '../../../steering/store/nats/log-entry.ts';
import {
  checkNatsSettings,
  connectionOptions,
  type NatsSettings,
  subjectPrefix,
} from '../../../steering/store/nats/nats-settings.ts';

const SETTINGS: NatsSettings = {
  servers: ['nats://127.0.0.1:4222'],
  replicas: 1,
  mesh: 'mesh',
  region: 'main',
  credentialsFile: null,
  caFile: null,
  certificateFile: null,
  keyFile: null,
  allowPlain: false,
};

describe('settings of NATS', () => {
  it.each([
    ['a host of the network without TLS', { servers: ['nats://192.0.2.1:4222'] }, /without TLS/],
    ['a name that may be anywhere', { servers: ['nats://nats.example:4222'] }, /without TLS/],
    ['one such server among others', { servers: ['nats://127.0.0.1:1', 'nats://192.0.2.1:1'] }, /without TLS/],
    ['credentials on the command line', { servers: ['tls://a:b@nats.example:4222'] }, /credentials/],
    ['another protocol', { servers: ['http://127.0.0.1'] }, /not nats:/],
    ['no server', { servers: [] }, /no NATS server/],
    ['a mesh that would be two tokens of a subject', { mesh: 'a.b' }, /nats\.mesh/],
    ['a region that would be a wildcard', { region: '*' }, /nats\.region/],
  ])('refuse %s', (_what, change, message) => {
    expect(() => checkNatsSettings({ ...SETTINGS, ...change })).toThrow(message);
  });

  it.each([
    ['this host', {}],
    ['this host by IPv6', { servers: ['nats://[::1]:4222'] }],
    ['TLS', { servers: ['tls://192.0.2.1:4222'] }],
    ['TLS because of a CA', { servers: ['nats://192.0.2.1:4222'], caFile: '/ca.pem' }],
    ['another layer that encrypts', { servers: ['nats://192.0.2.1:4222'], allowPlain: true }],
  ])('take %s', (_what, change) => {
    expect(() => checkNatsSettings({ ...SETTINGS, ...change })).not.toThrow();
  });

  it('name the mesh and the region in every subject', () => {
    expect(subjectPrefix({ mesh: 'shops', region: 'eu' })).toBe('thalweg.shops.eu');
  });

  describe('with a file', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'thalweg-nats-settings-'));
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    it('take user and password, or an nkey seed, and ask for TLS', () => {
      const credentialsFile = join(folder, 'credentials');
      writeFileSync(credentialsFile, 'core:with:colon\n');
      const plain = connectionOptions({ ...SETTINGS, credentialsFile });
      expect(plain).toMatchObject({ servers: ['127.0.0.1:4222'], user: 'core', pass: 'with:colon' });
      expect(plain.tls).toBeUndefined();
      writeFileSync(credentialsFile, 'SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU\n');
      const secure = connectionOptions({ ...SETTINGS, servers: ['tls://192.0.2.1:4222'], credentialsFile });
      expect(secure.authenticator).toBeTypeOf('function');
      expect(secure.tls).toEqual({});
    });

    it('refuse one that is not there, and one that holds something else', () => {
      const credentialsFile = join(folder, 'credentials');
      expect(() => connectionOptions({ ...SETTINGS, credentialsFile })).toThrow(/cannot be read: ENOENT/);
      writeFileSync(credentialsFile, 'secret');
      expect(() => connectionOptions({ ...SETTINGS, credentialsFile })).toThrow(/holds neither/);
    });
  });
});

describe('entries of the log', () => {
  it.each([0, 1, 511, 512, 100_000])('come back as they were with %i bytes', (length) => {
    const entry = { kind: 'changes', schema: 7, payload: new Uint8Array(length).fill(3) } as const;
    expect(decodeLogEntry(encodeLogEntry(entry))).toEqual(entry);
    expect(encodeLogEntry(entry).length).toBeLessThan(600);
  });

  it('are refused when they are damaged', () => {
    const whole = encodeLogEntry({ kind: 'changes', schema: 1, payload: new Uint8Array(2000) });
    const changed = (at: number, value: number) => Uint8Array.from(whole, (byte, i) => (i === at ? value : byte));
    for (const bytes of [new Uint8Array(), whole.subarray(0, 7), changed(0, 2), changed(1, 9), whole.subarray(0, 12)]) {
      expect(() => decodeLogEntry(bytes)).toThrow(expect.objectContaining({ code: 'storage_failed' }));
    }
  });
});
