/**
 * Making X.509 v3 certificates (RFC 5280) on P-256 with ECDSA and SHA-256: the CA's own, the core's server
 * certificate, and the nodes' client certificates (subject CN = node id).
 *
 * The library's own generator signs with WebCrypto and so only answers later; a join has to check, issue and save
 * without a pause, or two requests with one token could pass the check together. So the certificate is put together
 * from the library's parts and signed by node:crypto.
 */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  Extension as AsnExtension,
  Name as AsnName,
  Certificate,
  Extensions,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from '../../protocol/x509.ts';

/** ecdsa-with-SHA256 (RFC 5758 section 3.2); its parameters are absent. */
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

export type CertificatePurpose = 'authority' | 'server' | 'node';

export interface CertificateFields {
  readonly purpose: CertificatePurpose;
  /** Common name of the subject and of the issuer. */
  readonly subject: string;
  readonly issuer: string;
  /** 1 to 20 bytes, most significant first; the first bit must be 0. */
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
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 });
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from(fields.serial).buffer,
    signature: signatureAlgorithm,
    issuer: commonName(fields.issuer),
    validity: new Validity({ notBefore: new Date(fields.notBeforeMs), notAfter: new Date(fields.notAfterMs) }),
    subject: commonName(fields.subject),
    subjectPublicKeyInfo: AsnConvert.parse(publicKeyInfo(fields.publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions(extensions(fields).map(asnExtension)),
  });
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), issuerKey);
  const signatureValue = Uint8Array.from(signature).buffer;
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm, signatureValue });
  return new Uint8Array(AsnConvert.serialize(certificate));
}

function commonName(name: string): AsnName {
  return AsnConvert.parse(new Name([{ CN: [{ utf8String: name }] }]).toArrayBuffer(), AsnName);
}

function asnExtension({ type, critical, value }: Extension): AsnExtension {
  return new AsnExtension({ extnID: type, critical, extnValue: new OctetString(value) });
}

function extensions(fields: CertificateFields): Extension[] {
  const list: Extension[] = [
    ...(fields.purpose === 'authority' ? authorityUse() : endEntityUse(fields.purpose)),
    new SubjectKeyIdentifierExtension(keyIdentifier(fields.publicKey)),
    new AuthorityKeyIdentifierExtension(keyIdentifier(fields.issuerPublicKey)),
  ];
  if (fields.dnsNames !== undefined) {
    list.push(new SubjectAlternativeNameExtension(fields.dnsNames.map((value) => ({ type: 'dns', value }))));
  }
  return list;
}

/** Path length 0: the CA signs end entities and no further CA. */
function authorityUse(): Extension[] {
  const usage = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
  return [new BasicConstraintsExtension(true, 0, true), new KeyUsagesExtension(usage, true)];
}

function endEntityUse(purpose: 'server' | 'node'): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([purpose === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
  ];
}

/**
 * The leftmost 160 bits of SHA-256 over subjectPublicKeyInfo (RFC 7093 section 2, method 4, cut as method 1 cuts), in
 * hexadecimal. Must stay so: what a CA made earlier says of itself has to match what is issued under it.
 */
function keyIdentifier(key: KeyObject): string {
  return createHash('sha256').update(publicKeyInfo(key)).digest('hex').slice(0, 40);
}

function publicKeyInfo(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}
