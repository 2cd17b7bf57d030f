/** The CAs that this device trusts, as `ca.crt` holds them: PEM after PEM, the newest last. Pure. */
import { createHash, X509Certificate } from 'node:crypto';
import type { Parsed } from '../protocol/error.ts';

/** One certificate, and another one while it follows. */
const MAX_CAS = 4;
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

export interface TrustedCa {
  readonly certificate: X509Certificate;
  /** SHA-256 over the DER, 32 bytes. */
  readonly fingerprint: Uint8Array;
}

/** What a bundle in PEM holds. Throws what node:crypto throws where it is damaged. */
export function readBundle(pem: string): readonly TrustedCa[] {
  return (pem.match(PEM) ?? []).map((text) => trustedCa(new X509Certificate(text)));
}

/** The CA of a bundle that signed a certificate. */
export function issuerOf(certificate: X509Certificate, bundle: readonly TrustedCa[]): TrustedCa | undefined {
  return bundle.find((ca) => certificate.verify(ca.certificate.publicKey));
}

/**
 * The bundle, in PEM, that a core wants in the place of the one held. One of the new CAs has to be held already: whoever
 * speaks for all of the mesh's CAs at once is not to be believed about all of them.
 */
export function nextBundle(caDer: readonly Uint8Array[], held: readonly TrustedCa[]): Parsed<string> {
  if (caDer.length === 0 || caDer.length > MAX_CAS) return { ok: false, reason: `it names ${caDer.length} CAs` };
  const wanted: TrustedCa[] = [];
  for (const der of caDer) {
    try {
      wanted.push(trustedCa(new X509Certificate(der)));
    } catch {
      return { ok: false, reason: 'one of its CAs is no certificate' };
    }
  }
  if (!wanted.every(({ certificate }) => certificate.ca && isSelfSigned(certificate))) {
    return { ok: false, reason: 'one of its certificates is no CA' };
  }
  const isHeld = ({ certificate }: TrustedCa) => held.some((ca) => ca.certificate.raw.equals(certificate.raw));
  if (!wanted.some(isHeld)) return { ok: false, reason: 'none of its CAs is trusted here' };
  return { ok: true, value: wanted.map(({ certificate }) => certificate.toString()).join('') };
}

function isSelfSigned(certificate: X509Certificate): boolean {
  try {
    return certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

function trustedCa(certificate: X509Certificate): TrustedCa {
  return { certificate, fingerprint: new Uint8Array(createHash('sha256').update(certificate.raw).digest()) };
}
