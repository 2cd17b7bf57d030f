/**
 * The certificate signing request (PKCS #10, RFC 2986) that a device sends when it joins or renews. Only its public
 * key is used; the subject and everything else it asks for are ignored. Its self-signature proves that the sender
 * holds the private key.
 *
 *   SEQUENCE { SEQUENCE { version, subject, subjectPublicKeyInfo, [0] attributes }, algorithm, BIT STRING signature }
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Parsed } from '../../protocol/error.ts';
import { readDer } from './der.ts';

/** A P-256 request without attributes is about 230 bytes. */
export const MAX_SIGNING_REQUEST_BYTES = 4096;

export interface SigningRequest {
  readonly publicKey: KeyObject;
  /** subjectPublicKeyInfo, DER. */
  readonly publicKeyDer: Uint8Array;
}

/** Checks size, shape, curve (P-256) and self-signature (ECDSA with SHA-256). Never throws. */
export function parseSigningRequest(der: Uint8Array): Parsed<SigningRequest> {
  if (der.length === 0 || der.length > MAX_SIGNING_REQUEST_BYTES) {
    return refused(`it has ${der.length} bytes, not 1 to ${MAX_SIGNING_REQUEST_BYTES}`);
  }
  const outer = readDer(der);
  const request = outer.ok && outer.value.length === 1 ? outer.value[0] : undefined;
  const parts = request === undefined ? undefined : readDer(request.content);
  if (!parts?.ok || parts.value.length !== 3) return refused('it is not a PKCS #10 request in DER');
  const [info, , signature] = parts.value;
  const fields = info === undefined ? undefined : readDer(info.content);
  const keyInfo = fields?.ok ? fields.value[2] : undefined;
  if (info === undefined || signature?.tag !== 0x03 || keyInfo?.tag !== 0x30) {
    return refused('it is not a PKCS #10 request in DER');
  }
  try {
    const publicKey = createPublicKey({ key: Buffer.from(keyInfo.whole), format: 'der', type: 'spki' });
    if (publicKey.asymmetricKeyType !== 'ec' || publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      return refused('its key is not on the curve P-256');
    }
    if (!verify('sha256', info.whole, publicKey, signature.content.subarray(1))) {
      return refused('its signature does not fit its key');
    }
    return { ok: true, value: { publicKey, publicKeyDer: publicKey.export({ format: 'der', type: 'spki' }) } };
  } catch {
    return refused('its public key cannot be read');
  }
}

function refused(why: string): { ok: false; reason: string } {
  return { ok: false, reason: `the certificate signing request is not usable: ${why}` };
}
