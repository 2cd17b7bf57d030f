/**
 * What a core says of itself before anybody has to trust it: its CA, known by the fingerprint, and its clock. Used to
 * join, and to say by how much a clock is off when TLS refuses the dates of a certificate.
 */
import { createHash, verify, X509Certificate } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import { successionText } from '../protocol/ca-succession.ts';
import type { Clock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { type CaResponse, CaResponseSchema } from '../protocol/gen/thalweg/v1/join_pb.ts';
import { clockSkewError, MAX_CLOCK_SKEW_MS, notACore } from './core-error.ts';
import { askCore } from './core-request.ts';

export interface FoundCore {
  readonly address: string;
  readonly caPem: string;
  /** The core's clock less ours. */
  readonly skewMs: number;
}

/**
 * GET /v1/ca, trusting nothing; the SHA-256 over the CA's DER must be `fingerprint` (64 hex digits), or that of a CA which has
 * signed that this one follows it. Throws `ca_mismatch`,
 * `clock_skew` when the clocks are more than MAX_CLOCK_SKEW_MS apart, `protocol_violation`, or the socket's own error.
 */
export async function fetchCa(address: string, fingerprint: string, clock: Pick<Clock, 'nowMs'>): Promise<FoundCore> {
  const answer = await askCore({ address, method: 'GET', path: '/v1/ca', caPem: undefined });
  if (answer.status !== 200) throw notACore(address, `GET /v1/ca was answered with status ${answer.status}`);
  let ca: X509Certificate;
  let coreClockMs: number;
  try {
    const message = fromBinary(CaResponseSchema, answer.body);
    const actual = caFingerprint(message.caDer);
    if (actual !== fingerprint && !follows(message, fingerprint)) throw caMismatch(address, fingerprint, actual);
    ca = new X509Certificate(message.caDer);
    coreClockMs = Number(message.clockUnixMs);
  } catch (cause) {
    throw cause instanceof ThalwegError ? cause : notACore(address, 'its answer to GET /v1/ca is not a CA', cause);
  }
  const skewMs = coreClockMs - clock.nowMs();
  if (Math.abs(skewMs) > MAX_CLOCK_SKEW_MS) throw clockSkewError(skewMs);
  return { address, caPem: ca.toString(), skewMs };
}

/** Whether the CA that is known by the fingerprint has signed that this one follows it. */
function follows({ caDer, predecessorDer, predecessorSignature }: CaResponse, fingerprint: string): boolean {
  if (predecessorDer.length === 0 || caFingerprint(predecessorDer) !== fingerprint) return false;
  const { publicKey } = new X509Certificate(predecessorDer);
  return verify('sha256', successionText(caDer), publicKey, predecessorSignature);
}

/** SHA-256 over the DER of a CA certificate, 64 hex digits. */
export function caFingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function caMismatch(address: string, expected: string, actual: string): ThalwegError {
  return new ThalwegError(
    'ca_mismatch',
    `${address} has another CA than the one in the token (${actual.slice(0, 16)}…, expected ${expected.slice(0, 16)}…): it is not the core that made the token, or somebody is in between. Nothing secret was sent`,
    {
      fields: { address, expected, actual },
      nextStep: 'compare with `thalweg status` on the core; if its CA was made anew, make a new token there',
    },
  );
}
