/** Underlay endpoints as text (`192.0.2.1:51820`, `[2001:db8::1]:51820`) and as the bytes of the wire message. */
import { isIPv4, isIPv6 } from 'node:net';
import { IPv4, IPv6 } from 'ip-num';
import { formatIPv6 } from './address-plan.ts';
import type { Parsed } from './error.ts';

export interface HostPort {
  /** IPv4 or IPv6 address in canonical text, no brackets, no zone. */
  readonly address: string;
  readonly port: number;
}

export function formatEndpoint({ address, port }: HostPort): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Parses `address:port` with a literal address; names are not resolved. */
export function parseEndpoint(text: string): Parsed<HostPort> {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9.]{7,15})):(\d{1,5})$/.exec(text);
  const address = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (address === undefined || !(isIPv4(address) || isIPv6(address)) || port < 1 || port > 65_535) {
    return { ok: false, reason: `${text.slice(0, 60)} is not address:port with a literal address` };
  }
  return { ok: true, value: { address: isIPv4(address) ? address : formatIPv6(new IPv6(address).getValue()), port } };
}

/** 4 or 16 bytes in network order. */
export function addressToBytes(address: string): Uint8Array {
  const value = isIPv4(address) ? new IPv4(address).getValue() : new IPv6(address).getValue();
  const size = isIPv4(address) ? 4 : 16;
  return Uint8Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
}

export function addressFromBytes(bytes: Uint8Array): Parsed<string> {
  if (bytes.length === 4) return { ok: true, value: bytes.join('.') };
  if (bytes.length !== 16) return { ok: false, reason: `an address has 4 or 16 bytes, not ${bytes.length}` };
  return { ok: true, value: formatIPv6(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)) };
}
