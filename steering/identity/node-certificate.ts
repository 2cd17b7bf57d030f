/**
 * Making X.509 v3 certificates (RFC 5280) on P-256 with ECDSA and SHA-256: the CA's own, the core's server
 * certificate, and the nodes' client certificates (subject CN = node id).
 *
 * A join has to check, issue and save without a pause, or two requests with one token could pass the check together: so
 * they are signed by node:crypto, which answers at once. They are a handful of fixed values around a few that change, and
 * are written as DER directly.
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { bitString, contextTag, der, derTime, objectIdentifier, TAG, unsignedInteger } from './der.ts';

/** Object identifiers, each with its tag and length. */
const OID = {
  /** 1.2.840.10045.4.3.2 (RFC 5758 section 3.2). */
  ecdsaWithSha256: objectIdentifier('06082a8648ce3d040302'),
  /** 2.5.4.3 */
  commonName: objectIdentifier('0603550403'),
  /** 2.5.29.14, .15, .17, .19, .35 and .37 */
  subjectKeyIdentifier: objectIdentifier('0603551d0e'),
  keyUsage: objectIdentifier('0603551d0f'),
  subjectAltName: objectIdentifier('0603551d11'),
  basicConstraints: objectIdentifier('0603551d13'),
  authorityKeyIdentifier: objectIdentifier('0603551d23'),
  extendedKeyUsage: objectIdentifier('0603551d25'),
  /** 1.3.6.1.5.5.7.3.1 and .2 */
  serverAuth: objectIdentifier('06082b06010505070301'),
  clientAuth: objectIdentifier('06082b06010505070302'),
} as const;

/** ecdsa-with-SHA256; its parameters are absent. */
export const ECDSA_WITH_SHA256 = der(TAG.sequence, OID.ecdsaWithSha256);
const TRUE = der(TAG.boolean, Uint8Array.of(0xff));
const VERSION_3 = der(contextTag(0, true), der(TAG.integer, Uint8Array.of(2)));
/** KeyUsage (RFC 5280 section 4.2.1.3): the number of unused bits, then the bits. */
const SIGNS = der(TAG.bitString, Uint8Array.of(7, 0b1000_0000));
const SIGNS_CERTIFICATES_AND_LISTS = der(TAG.bitString, Uint8Array.of(1, 0b0000_0110));
/** Path length 0: the CA signs end entities and no further CA. */
const IS_AUTHORITY = der(TAG.sequence, TRUE, der(TAG.integer, Uint8Array.of(0)));
const IS_NO_AUTHORITY = der(TAG.sequence);

export type CertificatePurpose = 'authority' | 'server' | 'node';

export interface CertificateFields {
  readonly purpose: CertificatePurpose;
  /** Common name of the subject and of the issuer. */
  readonly subject: string;
  readonly issuer: string;
  /** 1 to 20 bytes, most significant first; the first bit must be 0, the first byte not. */
  readonly serial: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  /** The issuer's public key, for the authority key identifier. */
  readonly issuerPublicKey: KeyObject;
  /** DNS names of a server certificate. */
  readonly dnsNames?: readonly string[];
}

/** What a certificate says, in DER: TBSCertificate, the bytes that are signed. */
export function certificateContent(fields: CertificateFields): Uint8Array {
  return der(
    TAG.sequence,
    VERSION_3,
    unsignedInteger(fields.serial),
    ECDSA_WITH_SHA256,
    commonName(fields.issuer),
    der(TAG.sequence, derTime(fields.notBeforeMs), derTime(fields.notAfterMs)),
    commonName(fields.subject),
    publicKeyInfo(fields.publicKey),
    der(contextTag(3, true), der(TAG.sequence, ...extensions(fields))),
  );
}

/** The certificate in DER, signed by `issuerKey` (P-256 private key). */
export function makeCertificate(fields: CertificateFields, issuerKey: KeyObject): Uint8Array {
  const content = certificateContent(fields);
  const signature = sign('sha256', content, issuerKey);
  return new Uint8Array(der(TAG.sequence, content, ECDSA_WITH_SHA256, bitString(signature)));
}

function commonName(name: string): Uint8Array {
  const attribute = der(TAG.sequence, OID.commonName, der(TAG.utf8String, Buffer.from(name, 'utf8')));
  return der(TAG.sequence, der(TAG.set, attribute));
}

function extensions(fields: CertificateFields): Uint8Array[] {
  const list = [
    ...(fields.purpose === 'authority' ? authorityUse() : endEntityUse(fields.purpose)),
    extension(OID.subjectKeyIdentifier, der(TAG.octetString, keyIdentifier(fields.publicKey))),
    extension(
      OID.authorityKeyIdentifier,
      der(TAG.sequence, der(contextTag(0, false), keyIdentifier(fields.issuerPublicKey))),
    ),
  ];
  if (fields.dnsNames !== undefined) {
    const names = fields.dnsNames.map((name) => der(contextTag(2, false), Buffer.from(name, 'latin1')));
    list.push(extension(OID.subjectAltName, der(TAG.sequence, ...names)));
  }
  return list;
}

function authorityUse(): Uint8Array[] {
  return [
    criticalExtension(OID.basicConstraints, IS_AUTHORITY),
    criticalExtension(OID.keyUsage, SIGNS_CERTIFICATES_AND_LISTS),
  ];
}

function endEntityUse(purpose: 'server' | 'node'): Uint8Array[] {
  return [
    criticalExtension(OID.basicConstraints, IS_NO_AUTHORITY),
    criticalExtension(OID.keyUsage, SIGNS),
    extension(OID.extendedKeyUsage, der(TAG.sequence, purpose === 'server' ? OID.serverAuth : OID.clientAuth)),
  ];
}

function extension(oid: Uint8Array, value: Uint8Array): Uint8Array {
  return der(TAG.sequence, oid, der(TAG.octetString, value));
}

function criticalExtension(oid: Uint8Array, value: Uint8Array): Uint8Array {
  return der(TAG.sequence, oid, TRUE, der(TAG.octetString, value));
}

/**
 * The leftmost 160 bits of SHA-256 over subjectPublicKeyInfo (RFC 7093 section 2, method 4, cut as method 1 cuts). Must
 * stay so: what a CA made earlier says of itself has to match what is issued under it.
 */
function keyIdentifier(key: KeyObject): Uint8Array {
  return createHash('sha256').update(publicKeyInfo(key)).digest().subarray(0, 20);
}

function publicKeyInfo(key: KeyObject): Uint8Array {
  const known = INFOS.get(key);
  if (known !== undefined) return known;
  const info = key.export({ format: 'der', type: 'spki' });
  INFOS.set(key, info);
  return info;
}

/** The issuer's is asked for with every certificate, and OpenSSL takes 0.15 ms to write one. */
const INFOS = new WeakMap<KeyObject, Uint8Array>();
