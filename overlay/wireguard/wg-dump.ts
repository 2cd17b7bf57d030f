/** `wg show <device> dump` taken apart: one line for the device, one per peer, fields separated by tabs (wg(8)). */
import type { HostPort } from '../../protocol/endpoint.ts';
import { parseEndpoint } from '../../protocol/endpoint.ts';
import type { Parsed } from '../../protocol/error.ts';
import { type PublicKey, parsePublicKey } from '../../protocol/identifier.ts';
import { canonicalPrefix } from '../route/kernel-snapshot.ts';

export interface WgPeer {
  readonly publicKey: PublicKey;
  readonly endpoint: HostPort | null;
  /** CIDR notation, canonical. */
  readonly allowedIps: readonly string[];
  /** Milliseconds since 1970; null: never. */
  readonly lastHandshakeAtMs: number | null;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Null: off. */
  readonly keepaliveS: number | null;
}

export interface WgDevice {
  /** Null: the device has no private key. The private key itself is never kept. */
  readonly publicKey: PublicKey | null;
  readonly listenPort: number;
  readonly peers: readonly WgPeer[];
}

export function parseWgDump(text: string): Parsed<WgDevice> {
  const [first = '', ...rest] = text.split('\n').filter((line) => line !== '');
  const [, publicKeyText, listenPortText] = first.split('\t');
  const listenPort = Number(listenPortText);
  if (publicKeyText === undefined || !/^\d{1,5}$/.test(listenPortText ?? '')) {
    return { ok: false, reason: 'the first line is not that of a device' };
  }
  const publicKey = parsePublicKey(publicKeyText);
  const peers: WgPeer[] = [];
  for (const [index, line] of rest.entries()) {
    const peer = parsePeer(line);
    if (peer === undefined) return { ok: false, reason: `line ${index + 2} is not that of a peer` };
    peers.push(peer);
  }
  return { ok: true, value: { publicKey: publicKey.ok ? publicKey.value : null, listenPort, peers } };
}

function parsePeer(line: string): WgPeer | undefined {
  const fields = line.split('\t');
  const [keyText, , endpointText, allowedText, handshakeText, receivedText, sentText, keepaliveText] = fields;
  const publicKey = parsePublicKey(keyText ?? '');
  if (!publicKey.ok || fields.length !== 8 || endpointText === undefined || allowedText === undefined) return undefined;
  const numbers = [handshakeText, receivedText, sentText].map((field) =>
    /^\d{1,16}$/.test(field ?? '') ? Number(field) : NaN,
  );
  const [handshakeS = NaN, receivedBytes = NaN, sentBytes = NaN] = numbers;
  if (numbers.some(Number.isNaN)) return undefined;
  // A link-local endpoint carries a zone; it was learned, never set by us.
  const endpoint = parseEndpoint(endpointText.replace(/%[^\]]*\]/, ']'));
  return {
    publicKey: publicKey.value,
    endpoint: endpoint.ok ? endpoint.value : null,
    allowedIps: allowedText === '(none)' ? [] : allowedText.split(',').map(canonicalPrefix),
    lastHandshakeAtMs: handshakeS === 0 ? null : handshakeS * 1000,
    receivedBytes,
    sentBytes,
    keepaliveS: /^\d{1,5}$/.test(keepaliveText ?? '') ? Number(keepaliveText) : null,
  };
}
