/**
 * The certificate signing request (PKCS #10, RFC 2986) that a device sends when it joins or renews. Only its public
 * key is used; the subject and everything else it asks for are ignored. Its self-signature proves that the sender
 * holds the private key.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { Parsed } from '../../protocol/error.ts';
import { Pkcs10CertificateRequest } from '../../protocol/x509.ts';

/** A P-256 request without attributes is about 230 bytes. */
export const MAX_SIGNING_REQUEST_BYTES = 4096;
/** A plain request is 6 levels deep and has about 20 values; what has many more is built to keep a parser busy. */
const PARSE_LIMITS = { berOptions: { maxDepth: 20, maxNodes: 500 } };

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
  const request = readRequest(der);
  if (request === undefined) return refused('it is not a PKCS #10 request in DER');
  try {
    const publicKey = createPublicKey({ key: request.publicKeyInfo, format: 'der', type: 'spki' });
    if (publicKey.asymmetricKeyType !== 'ec' || publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      return refused('its key is not on the curve P-256');
    }
    if (!verify('sha256', request.signed, publicKey, request.signature)) {
      return refused('its signature does not fit its key');
    }
    return { ok: true, value: { publicKey, publicKeyDer: publicKey.export({ format: 'der', type: 'spki' }) } };
  } catch {
    return refused('its public key cannot be read');
  }
}

/** Shows the bytes the signature covers, so that node:crypto can check it at once; the library's own check is later. */
class SignedRequest extends Pkcs10CertificateRequest {
  /** certificationRequestInfo as it came. */
  get signed(): ArrayBuffer | undefined {
    return this.asn.certificationRequestInfoRaw;
  }
}

interface RequestParts {
  readonly publicKeyInfo: Buffer;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

function readRequest(der: Uint8Array): RequestParts | undefined {
  try {
    const request = new SignedRequest(Uint8Array.from(der), PARSE_LIMITS);
    if (request.signed === undefined) return undefined;
    return {
      publicKeyInfo: Buffer.from(request.publicKey.rawData),
      signed: Buffer.from(request.signed),
      signature: Buffer.from(request.signature),
    };
  } catch {
    return undefined;
  }
}

function refused(why: string): { ok: false; reason: string } {
  return { ok: false, reason: `the certificate signing request is not usable: ${why}` };
}
