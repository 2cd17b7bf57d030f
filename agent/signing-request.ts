/**
 * The TLS key of this device and the PKCS #10 signing request for it (RFC 2986). The subject is a constant: the core
 * decides what the certificate says.
 *
 * Loads the X.509 library, so it is imported by joining alone and only when that happens: a running agent sends the
 * stored request when it renews.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '../protocol/x509.ts';

const SUBJECT = 'CN=thalweg-node';
const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** A new EC P-256 key as PKCS #8 PEM. Secret. */
export function generateTlsKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** The signing request for a P-256 key, DER. Rejects when the text is not such a key. */
export async function buildSigningRequest(keyPem: string): Promise<Uint8Array> {
  const key = createPrivateKey(keyPem);
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const { subtle } = webcrypto;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: SUBJECT,
    keys: {
      privateKey: await subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']),
      publicKey: await subtle.importKey('spki', spki, P256, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return new Uint8Array(request.rawData);
}
