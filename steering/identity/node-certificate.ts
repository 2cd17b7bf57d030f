/**
 * Making X.509 v3 certificates (RFC 5280) on P-256 with ECDSA and SHA-256: the CA's own, the core's server
 * certificate, and the nodes' client certificates (subject CN = node id).
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import {
  derBitString,
  derBoolean,
  derInteger,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8String,
  derValue,
} from './der.ts';

const ECDSA_SHA256 = derSequence(derOid('1.2.840.10045.4.3.2'));

export type CertificatePurpose = 'authority' | 'server' | 'node';

export interface CertificateFields {
  readonly purpose: CertificatePurpose;
  /** Common name of the subject and of the issuer. */
  readonly subject: string;
  readonly issuer: string;
  /** 1 to 20 bytes, first bit 0 not needed. */
  readonly serial: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  /** The issuer's public key, for the authority key identifier. */
  readonly issuerPublicKey: KeyObject;
  /** DNS names of a server certificate. */
  readonly dnsNames?: readonly string[];
}

/** The certificate in DER, signed by `issuerKey` (P-256 private key). */
export function makeCertificate(fields: CertificateFields, issuerKey: KeyObject): Uint8Array {
  const toBeSigned = derSequence(
    derValue(0xa0, derInteger(Uint8Array.of(2))),
    derInteger(fields.serial),
    ECDSA_SHA256,
    commonName(fields.issuer),
    derSequence(derTime(fields.notBeforeMs), derTime(fields.notAfterMs)),
    commonName(fields.subject),
    fields.publicKey.export({ format: 'der', type: 'spki' }),
    derValue(0xa3, derSequence(...extensions(fields))),
  );
  return derSequence(toBeSigned, ECDSA_SHA256, derBitString(sign('sha256', toBeSigned, issuerKey)));
}

function commonName(name: string): Uint8Array {
  return derSequence(derSet(derSequence(derOid('2.5.4.3'), derUtf8String(name))));
}

function extensions(fields: CertificateFields): Uint8Array[] {
  const authority = fields.purpose === 'authority';
  const list = [
    // basicConstraints: CA with path length 0, or an end entity
    extension(
      '2.5.29.19',
      true,
      authority ? derSequence(derBoolean(true), derInteger(Uint8Array.of(0))) : derSequence(),
    ),
    // keyUsage: keyCertSign (bit 5) and cRLSign (bit 6), or digitalSignature (bit 0)
    extension(
      '2.5.29.15',
      true,
      authority ? derBitString(Uint8Array.of(0x06), 1) : derBitString(Uint8Array.of(0x80), 7),
    ),
    extension('2.5.29.14', false, derOctetString(keyIdentifier(fields.publicKey))),
    extension('2.5.29.35', false, derSequence(derValue(0x80, keyIdentifier(fields.issuerPublicKey)))),
  ];
  if (!authority) {
    const usage = fields.purpose === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
    list.push(extension('2.5.29.37', false, derSequence(derOid(usage))));
  }
  if (fields.dnsNames !== undefined) {
    const names = fields.dnsNames.map((name) => derValue(0x82, Buffer.from(name, 'ascii')));
    list.push(extension('2.5.29.17', false, derSequence(...names)));
  }
  return list;
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  return derSequence(derOid(oid), ...(critical ? [derBoolean(true)] : []), derOctetString(value));
}

/** RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 over the key. */
function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
    .subarray(0, 20);
}
