/** Certificates as they are written here, against what the library of X.509 makes of the same fields, byte by byte. */
import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { expect, it } from 'vitest';
import {
  type CertificateFields,
  type CertificatePurpose,
  certificateContent,
  makeCertificate,
} from '../../../steering/identity/node-certificate.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const DAY_MS = 86_400_000;
const P256 = { name: 'ECDSA', namedCurve: 'P-256' };
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function fieldsFor(purpose: CertificatePurpose, more: Partial<CertificateFields> = {}): CertificateFields {
  return {
    purpose,
    subject: 'n-aaaaaaaaaaaaaaaaaaaa',
    issuer: 'Thalweg CA',
    serial: Uint8Array.from({ length: 16 }, (_, i) => 0x41 + i),
    notBeforeMs: NOW_MS,
    notAfterMs: NOW_MS + DAY_MS,
    publicKey: keys.publicKey,
    issuerPublicKey: issuer.publicKey,
    ...more,
  };
}

/** The slow way, by the library. */
async function byTheLibrary(fields: CertificateFields): Promise<X509Certificate> {
  const { subtle } = webcrypto;
  const info = (key: CertificateFields['publicKey']) => key.export({ format: 'der', type: 'spki' });
  const identifier = async (key: CertificateFields['publicKey']) =>
    Buffer.from(await subtle.digest('SHA-256', info(key)))
      .toString('hex')
      .slice(0, 40);
  const isAuthority = fields.purpose === 'authority';
  const use = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature;
  const endEntityUse = fields.purpose === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2';
  const extensions: Extension[] = [
    new BasicConstraintsExtension(isAuthority, isAuthority ? 0 : undefined, true),
    new KeyUsagesExtension(use, true),
    ...(isAuthority ? [] : [new ExtendedKeyUsageExtension([endEntityUse])]),
    new SubjectKeyIdentifierExtension(await identifier(fields.publicKey)),
    new AuthorityKeyIdentifierExtension(await identifier(fields.issuerPublicKey)),
  ];
  if (fields.dnsNames !== undefined) {
    extensions.push(
      new SubjectAlternativeNameExtension(fields.dnsNames.map((value) => ({ type: 'dns' as const, value }))),
    );
  }
  const pkcs8 = issuer.privateKey.export({ format: 'der', type: 'pkcs8' });
  return X509CertificateGenerator.create({
    serialNumber: Buffer.from(fields.serial).toString('hex'),
    subject: new Name([{ CN: [{ utf8String: fields.subject }] }]),
    issuer: new Name([{ CN: [{ utf8String: fields.issuer }] }]),
    notBefore: new Date(fields.notBeforeMs),
    notAfter: new Date(fields.notAfterMs),
    publicKey: await subtle.importKey('spki', info(fields.publicKey), P256, true, ['verify']),
    signingKey: await subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions,
  });
}

/** What is signed: the first value in the certificate. */
function contentOf(certificate: X509Certificate): string {
  const bytes = Buffer.from(certificate.rawData);
  const from = bytes[1] === 0x82 ? 4 : 3;
  const length = bytes[from + 1] === 0x82 ? 4 + bytes.readUInt16BE(from + 2) : 3 + (bytes[from + 2] ?? 0);
  return bytes.subarray(from, from + length).toString('hex');
}

it.each<[string, CertificateFields]>([
  ['a node', fieldsFor('node')],
  [
    'a node with a short serial and a long name',
    fieldsFor('node', { serial: Uint8Array.of(7), subject: 'n'.repeat(60) }),
  ],
  ['a server', fieldsFor('server', { subject: 'thalweg-core', dnsNames: ['thalweg-core', 'core.example'] })],
  ['a CA', fieldsFor('authority', { subject: 'Thalweg CA' })],
  ['one that ends in the last second of 2049', fieldsFor('node', { notAfterMs: Date.UTC(2049, 11, 31, 23, 59, 59) })],
  ['one that ends in 2050', fieldsFor('node', { notAfterMs: Date.UTC(2050, 0, 1) })],
])('the certificate of %s says what the library writes', async (_of, fields) => {
  expect(Buffer.from(certificateContent(fields)).toString('hex')).toBe(contentOf(await byTheLibrary(fields)));
});

it('a certificate can be read by the library, and its signature fits the issuer alone', async () => {
  const certificate = new X509Certificate(Buffer.from(makeCertificate(fieldsFor('node'), issuer.privateKey)));
  const verifiedBy = async (key: CertificateFields['publicKey']) =>
    certificate.verify({
      publicKey: await webcrypto.subtle.importKey('spki', key.export({ format: 'der', type: 'spki' }), P256, true, [
        'verify',
      ]),
      signatureOnly: true,
    });
  expect(await verifiedBy(issuer.publicKey)).toBe(true);
  expect(await verifiedBy(keys.publicKey)).toBe(false);
});
