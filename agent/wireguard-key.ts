/** WireGuard's keys (Curve25519, RFC 7748) with Node's own crypto: raw 32 bytes in base64, as `wg` reads and prints them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { ThalwegError } from '../protocol/error.ts';
import { type PublicKey, parsePublicKey, publicKeyFromBytes } from '../protocol/identifier.ts';

/** PKCS #8 header of an X25519 private key (RFC 8410): the raw 32 bytes follow. */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** A new private key in base64. Secret. */
export function generateWireGuardKey(): string {
  const { privateKey } = generateKeyPairSync('x25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const raw = Buffer.from(der.subarray(der.length - 32));
  // Clamped as `wg genkey` does, so that what we store is what the device reports.
  raw[0] = (raw[0] ?? 0) & 248;
  raw[31] = ((raw[31] ?? 0) & 127) | 64;
  return raw.toString('base64');
}

/** The public key of a private key in base64. Throws `storage_failed` when the text is no key; never repeats it. */
export function wireGuardPublicKey(privateKey: string): PublicKey {
  const raw = Buffer.from(privateKey.trim(), 'base64');
  if (raw.length !== 32 || !parsePublicKey(raw.toString('base64')).ok) {
    throw new ThalwegError('storage_failed', 'the WireGuard private key file does not hold a key', {
      nextStep: 'run `thalweg agent down --forget` and join again with a new token',
    });
  }
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, raw]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const parsed = publicKeyFromBytes(spki.subarray(spki.length - 32));
  if (!parsed.ok) throw new ThalwegError('internal', parsed.reason);
  return parsed.value;
}
