/** Real certificates and signing requests to start from, of a CA that is made for the purpose and forgotten. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSigningRequest, generateTlsKey } from '../../agent/signing-request.ts';
import { CertificateAuthority } from '../../steering/identity/certificate-authority.ts';

export interface CertificateSeeds {
  readonly caPem: string;
  readonly caDer: Uint8Array;
  readonly tlsKeyPem: string;
  readonly certificateDer: Uint8Array;
  readonly signingRequestDer: Uint8Array;
}

export async function makeCertificateSeeds(): Promise<CertificateSeeds> {
  const folder = mkdtempSync(join(tmpdir(), 'thalweg-fuzz-'));
  try {
    const now = Date.now();
    const authority = CertificateAuthority.open(folder, now);
    const tlsKeyPem = generateTlsKey();
    const publicKey = createPublicKey(createPrivateKey(tlsKeyPem));
    const { der } = authority.issueNodeCertificate('n-fuzz', publicKey, now, 3_600_000);
    return {
      caPem: authority.certificate.toString(),
      caDer: authority.certificate.raw,
      tlsKeyPem,
      certificateDer: der,
      signingRequestDer: await buildSigningRequest(tlsKeyPem),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
