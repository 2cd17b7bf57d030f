import { describe, expect, it } from 'vitest';
import type { OverlayPeer } from '../../../../overlay/overlay-state.ts';
import { computePeerDiff } from '../../../../overlay/wireguard/peer-diff.ts';
import { parseWgDump, type WgPeer } from '../../../../overlay/wireguard/wg-dump.ts';
import type { PublicKey } from '../../../../protocol/identifier.ts';

const KEY = 'vzsohn09aJvrkLRCD8U9hv4sRB9kUcMzWLFXQRL04WQ=' as PublicKey;
const OTHER = 'dBy47r7CuPQzZglo+Y7QBMNC9MmBl5v8bkp+MhVC5kg=' as PublicKey;

describe('wg show dump', () => {
  it('reads device and peers, and keeps no private key', () => {
    const text = [
      `(private)\t${OTHER}\t51820\toff`,
      `${KEY}\t(none)\t[2001:db8::1]:51820\t100.112.0.2/32,fd00::2/128\t1795366875\t180\t1872\t25`,
      `${OTHER}\t(none)\t(none)\t(none)\t0\t0\t0\toff`,
      '',
    ].join('\n');
    const parsed = parseWgDump(text);
    expect(parsed).toEqual({
      ok: true,
      value: {
        publicKey: OTHER,
        listenPort: 51820,
        peers: [
          {
            publicKey: KEY,
            endpoint: { address: '2001:db8::1', port: 51820 },
            allowedIps: ['100.112.0.2/32', 'fd00::2/128'],
            lastHandshakeAtMs: 1_795_366_875_000,
            receivedBytes: 180,
            sentBytes: 1872,
            keepaliveS: 25,
          },
          {
            publicKey: OTHER,
            endpoint: null,
            allowedIps: [],
            lastHandshakeAtMs: null,
            receivedBytes: 0,
            sentBytes: 0,
            keepaliveS: null,
          },
        ],
      },
    });
    expect(JSON.stringify(parsed)).not.toContain('private)');
  });

  it('reads a device without a key', () => {
    expect(parseWgDump('(none)\t(none)\t0\toff\n')).toMatchObject({
      ok: true,
      value: { publicKey: null, listenPort: 0 },
    });
  });

  it.each(['', 'x', `(none)\t(none)\t0\toff\n${KEY}\tonly`])('refuses %j', (text) => {
    expect(parseWgDump(text).ok).toBe(false);
  });
});

describe('computePeerDiff', () => {
  const wanted: OverlayPeer = {
    publicKey: KEY,
    allowedIps: ['100.112.0.2/32', 'FD00::2/128'],
    endpoint: { address: '192.0.2.2', port: 51820 },
    forceEndpoint: false,
    wrapsOnly: null,
  };
  const held: WgPeer = {
    publicKey: KEY,
    allowedIps: ['fd00::2/128', '100.112.0.2/32'],
    endpoint: { address: '198.51.100.7', port: 4711 },
    lastHandshakeAtMs: null,
    receivedBytes: 0,
    sentBytes: 0,
    keepaliveS: 25,
  };

  it('keeps what WireGuard learned by roaming', () => {
    expect(computePeerDiff([wanted], [held]).calls).toEqual([]);
  });

  it('sets only what differs', () => {
    const diff = (changes: Partial<OverlayPeer>, have: Partial<WgPeer> = {}) =>
      computePeerDiff([{ ...wanted, ...changes }], [{ ...held, ...have }]).calls;
    expect(diff({ forceEndpoint: true })).toEqual([['peer', KEY, 'endpoint', '192.0.2.2:51820']]);
    expect(diff({}, { endpoint: null })).toEqual([['peer', KEY, 'endpoint', '192.0.2.2:51820']]);
    expect(diff({}, { keepaliveS: null })).toEqual([['peer', KEY, 'persistent-keepalive', '25']]);
    expect(diff({}, { allowedIps: [] })).toEqual([['peer', KEY, 'allowed-ips', '100.112.0.2/32,fd00::2/128']]);
  });

  it('removes before it adds, since AllowedIPs are exclusive', () => {
    const [call] = computePeerDiff([wanted], [{ ...held, publicKey: OTHER }]).calls;
    expect(call?.slice(0, 4)).toEqual(['peer', OTHER, 'remove', 'peer']);
  });

  it('puts many peers into few calls, and never a key into a change', () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({
      ...wanted,
      publicKey: Buffer.from(String(i).padEnd(32, 'x')).toString('base64') as PublicKey,
    }));
    const { calls, changes } = computePeerDiff(many, []);
    expect(calls).toHaveLength(3);
    expect(changes).toHaveLength(1000);
    expect(changes.join()).not.toMatch(/[A-Za-z0-9+/]{43}=/);
  });
});
