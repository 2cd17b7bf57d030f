/**
 * The TLS key of this device and the PKCS #10 signing request for it (RFC 2986), in DER:
 *
 *   SEQUENCE { SEQUENCE { INTEGER 0, Name, SubjectPublicKeyInfo, [0] {} }, ecdsa-with-SHA256, BIT STRING signature }
 *
 * Written by hand because it is twenty lines, and the X.509 library that could do it (used by the core) costs a device
 * 20 MB of memory and a decorator runtime. The subject is a constant: the core decides what the certificate says.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** AlgorithmIdentifier ecdsa-with-SHA256, OID 1.2.840.10045.4.3.2 (RFC 5758 section 3.2). */
const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
const OID_COMMON_NAME = Buffer.from('0603550403', 'hex');
const SUBJECT = 'thalweg-node';

/** A new EC P-256 key as PKCS #8 PEM. Secret. */
export function generateTlsKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** The signing request for a P-256 key, DER. Throws when the text is not such a key. */
export function buildSigningRequest(keyPem: string): Uint8Array {
  const key: KeyObject = createPrivateKey(keyPem);
  const publicKeyInfo = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const commonName = der(0x30, OID_COMMON_NAME, der(0x0c, Buffer.from(SUBJECT)));
  const subject = der(0x30, der(0x31, commonName));
  const info = der(0x30, der(0x02, Buffer.from([0])), subject, publicKeyInfo, der(0xa0));
  const signature = sign('sha256', info, key);
  return new Uint8Array(der(0x30, info, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature)));
}

/** Tag, length (X.690 section 8.1.3), content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const header =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >>> 8, length & 255];
  return Buffer.concat([Buffer.from(header), body]);
}
