/** What the CA makes, read by OpenSSL (through node:crypto), and a CA and a request that somebody else made. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../steering/identity/certificate-authority.ts';
import { parseSigningRequest } from '../../../steering/identity/signing-request.ts';

const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5);
const HOUR_MS = 3_600_000;
const NODE_ID = 'n-aaaaaaaaaaaaaaaaaaaa';

/** `openssl req -new` on P-256, with a subject and extensions of its own. */
const OPENSSL_REQUEST =
  'MIIBFDCBugIBADAkMQswCQYDVQQGEwJERTEVMBMGA1UEAwwMZnJvbSBvcGVuc3NsMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElUqj36+9Ql2n' +
  'GDwA6ZQIOLOfGqMy/ejRxz6m/KeKm9UXZ5M55VXzXar/ftD7qfoEdKnvg2fIPEE35OI2zwbc/KA0MDIGCSqGSIb3DQEJDjElMCMwFAYDVR0RBA0w' +
  'C4IJYS5leGFtcGxlMAsGA1UdDwQEAwIHgDAKBggqhkjOPQQDAgNJADBGAiEAnogAZaQaXgMuJqpnsKg5ApjvZoTXnv/zKOUNPKYfpLkCIQDZTCC8' +
  'p5AOHgTqycsa/pqCwu+GhtuBxRYp2HaMI4zJ5w==';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'thalweg-ca-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('the CA', () => {
  it('makes itself once, with a private key that only its owner can read', () => {
    const first = CertificateAuthority.open(stateDir, NOW_MS);
    expect(statSync(join(stateDir, 'ca.key')).mode & 0o777).toBe(0o600);
    expect(CertificateAuthority.open(stateDir, NOW_MS + HOUR_MS).fingerprint).toBe(first.fingerprint);
    const { certificate } = first;
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toBe('CN=Thalweg CA');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(Date.parse(certificate.validFrom)).toBe(NOW_MS - HOUR_MS);
    // Beyond 2049 dates are written in another form.
    expect(new Date(certificate.validTo).getUTCFullYear()).toBe(2049);
    const late = CertificateAuthority.open(mkdtempSync(join(stateDir, 'late-')), NOW_MS + 24 * 366 * HOUR_MS);
    expect(new Date(late.certificate.validTo).getUTCFullYear()).toBe(2050);
  });

  it('issues a node certificate for client use, with a serial of 16 bytes', () => {
    const ca = CertificateAuthority.open(stateDir, NOW_MS);
    const { publicKey } = p256();
    const issued = ca.issueNodeCertificate(NODE_ID, publicKey, NOW_MS, 24 * HOUR_MS);
    const certificate = new X509Certificate(issued.der);
    expect(certificate.subject).toBe(`CN=${NODE_ID}`);
    expect(certificate.issuer).toBe('CN=Thalweg CA');
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.publicKey.equals(publicKey)).toBe(true);
    expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(issued.serial).toBe(certificate.serialNumber);
    expect(Date.parse(certificate.validFrom)).toBe(NOW_MS - HOUR_MS);
    expect(Date.parse(certificate.validTo)).toBe(NOW_MS + 24 * HOUR_MS);
    expect(issued.expiresAtMs).toBe(NOW_MS + 24 * HOUR_MS);
    expect(ca.hasSigned(certificate)).toBe(true);
    expect(ca.issueNodeCertificate(NODE_ID, publicKey, NOW_MS, HOUR_MS).serial).not.toBe(issued.serial);
  });

  it('makes a server certificate for thalweg-core alone', () => {
    const ca = CertificateAuthority.open(stateDir, NOW_MS);
    const certificate = new X509Certificate(ca.makeServerIdentity(NOW_MS).certificate);
    expect(certificate.subjectAltName).toBe('DNS:thalweg-core');
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(certificate.ca).toBe(false);
    expect(ca.hasSigned(certificate)).toBe(true);
  });

  it('did not sign what another CA of the same name did', () => {
    const ca = CertificateAuthority.open(stateDir, NOW_MS);
    const other = CertificateAuthority.open(mkdtempSync(join(stateDir, 'other-')), NOW_MS);
    const foreign = other.issueNodeCertificate(NODE_ID, p256().publicKey, NOW_MS, HOUR_MS);
    expect(ca.hasSigned(new X509Certificate(foreign.der))).toBe(false);
  });
});

it('a request made by openssl is accepted for its key, whatever else it asks for', () => {
  const parsed = parseSigningRequest(Buffer.from(OPENSSL_REQUEST, 'base64'));
  expect(parsed).toMatchObject({ ok: true });
  const ca = CertificateAuthority.open(stateDir, NOW_MS);
  if (!parsed.ok) return;
  const issued = ca.issueNodeCertificate(NODE_ID, parsed.value.publicKey, NOW_MS, HOUR_MS);
  const certificate = new X509Certificate(issued.der);
  expect(certificate.subject).toBe(`CN=${NODE_ID}`);
  expect(certificate.subjectAltName).toBeUndefined();
});
