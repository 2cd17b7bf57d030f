/**
 * The certificate signing request (PKCS #10, RFC 2986) that a device sends when it joins or renews. Only its public
 * key is used; the subject and everything else it asks for are ignored. Its self-signature proves that the sender
 * holds the private key.
 *
 *   CertificationRequest ::= SEQUENCE {
 *     SEQUENCE { INTEGER 0, SEQUENCE subject, SEQUENCE subjectPublicKeyInfo, [0] attributes }   what is signed
 *     SEQUENCE { ecdsa-with-SHA256 },
 *     BIT STRING }
 */
import { type KeyObject, verify } from 'node:crypto';
import type { Parsed } from '../../protocol/error.ts';
import { contextTag, type DerValue, readDer, TAG } from './der.ts';
import { ECDSA_WITH_SHA256 } from './node-certificate.ts';
import { readP256Key } from './p256-key.ts';

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
  const request = readRequest(der);
  if (request === undefined) return refused('it is not a PKCS #10 request in DER, signed with ECDSA and SHA-256');
  const key = readP256Key(request.publicKeyInfo);
  if (key === undefined) return refused('it has no key on the curve P-256');
  try {
    if (!verify('sha256', request.signed, key.key, request.signature)) {
      return refused('its signature does not fit its key');
    }
  } catch {
    return refused('its signature cannot be read');
  }
  return { ok: true, value: { publicKey: key.key, publicKeyDer: Uint8Array.from(key.der) } };
}

interface RequestParts {
  readonly publicKeyInfo: Uint8Array;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

function readRequest(bytes: Uint8Array): RequestParts | undefined {
  const [request] = valuesIn(bytes, [TAG.sequence]) ?? [];
  const [info, algorithm, signature] = valuesIn(request?.content, [TAG.sequence, TAG.sequence, TAG.bitString]) ?? [];
  const fields = [TAG.integer, TAG.sequence, TAG.sequence, contextTag(0, true)];
  const [version, , publicKeyInfo] = valuesIn(info?.content, fields) ?? [];
  if (info === undefined || algorithm === undefined || signature === undefined) return undefined;
  if (version === undefined || publicKeyInfo === undefined) return undefined;
  const isVersion1 = version.content.length === 1 && version.content[0] === 0;
  const hasWholeBytes = signature.content[0] === 0;
  if (!isVersion1 || !hasWholeBytes || !Buffer.from(ECDSA_WITH_SHA256).equals(algorithm.whole)) return undefined;
  return { publicKeyInfo: publicKeyInfo.whole, signed: info.whole, signature: signature.content.subarray(1) };
}

/** The values in `bytes`, if these are their tags. */
function valuesIn(bytes: Uint8Array | undefined, tags: readonly number[]): readonly DerValue[] | undefined {
  const values = bytes === undefined ? undefined : readDer(bytes, tags.length);
  return values?.length === tags.length && values.every(({ tag }, i) => tag === tags[i]) ? values : undefined;
}

function refused(why: string): { ok: false; reason: string } {
  return { ok: false, reason: `the certificate signing request is not usable: ${why}` };
}
