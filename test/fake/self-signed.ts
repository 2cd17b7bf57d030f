/** A certificate for 127.0.0.1 and localhost that is its own CA, as files. */
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SubjectAlternativeNameExtension } from '../../protocol/x509.ts';

/** Writes `api.crt` and `api.key` to the directory, in the place of those that are there. */
export async function writeSelfSigned(
  directory: string,
  days = 30,
): Promise<{ cert: string; key: string; pem: string }> {
  const { X509CertificateGenerator } = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const nowMs = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=core.test',
      notBefore: new Date(nowMs - 60_000),
      notAfter: new Date(nowMs + days * 86_400_000),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new SubjectAlternativeNameExtension([
          { type: 'ip', value: '127.0.0.1' },
          { type: 'dns', value: 'localhost' },
        ]),
      ],
    },
    webcrypto,
  );
  const pem = certificate.toString('pem');
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const [cert, key] = [join(directory, 'api.crt'), join(directory, 'api.key')];
  writeFileSync(cert, pem);
  writeFileSync(key, `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`, { mode: 0o600 });
  return { cert, key, pem };
}
