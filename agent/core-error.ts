/**
 * What went wrong on the way to the core, as errors a person can act on: TLS and socket errors, and the core's own
 * refusals. One place, so that joining and the session say the same.
 */
import { type ErrorCode, isErrorCode, ThalwegError } from '../protocol/error.ts';
import { errnoOf } from './atomic-file.ts';

/** Certificates and tokens tolerate this much; beyond it a device's clock is wrong enough to break TLS soon. */
export const MAX_CLOCK_SKEW_MS = 5 * 60_000;

export interface CoreRefusal {
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number;
}

/** What to check where somebody else answers. */
const AGENT_PORT = "check that the address is the core's agent port (8470 by default) and not another service's";
const REJOIN = 'run `thalweg agent down --forget` here, then `thalweg join TOKEN` with a new token';
const NEW_TOKEN = 'make a new token on the core with `thalweg token create` and join with it';

const NEXT_STEP: Partial<Record<ErrorCode, string>> = {
  token_malformed: 'paste the whole token as `thalweg token create` printed it',
  token_unknown: 'check that the token was made by this core (`thalweg token list` there), or make a new one',
  token_expired: NEW_TOKEN,
  token_used_up: `${NEW_TOKEN} (\`--uses\` says how many devices may use one)`,
  token_revoked: NEW_TOKEN,
  name_taken:
    'choose another name with `thalweg join --name NAME TOKEN`, or remove the old node on the core with `thalweg node remove`',
  invalid_argument: 'correct the value that the message names and run the command again',
  addresses_exhausted:
    'remove nodes that are gone with `thalweg node remove` on the core, or give the core larger ranges',
  protocol_version: 'install the same release of thalweg here as on the core',
  disk_full: 'free space on the core, then run the same command again',
  overloaded: 'run the same command again in a minute',
  node_removed: `somebody removed this node on the core; to bring the device back: ${REJOIN}`,
  certificate_invalid: REJOIN,
  replaced:
    'another agent uses the same identity: do not copy a state directory between devices; join each with a token',
};

/** The error for a refusal of the core's. A code we do not know becomes `internal`, with the core's words kept. */
export function refusalError({ code, message, retryAfterMs }: CoreRefusal): ThalwegError {
  const known: ErrorCode = isErrorCode(code) ? code : 'internal';
  const nextStep = known === 'clock_skew' ? clockNextStep() : NEXT_STEP[known];
  return new ThalwegError(known, `the core refused: ${message.slice(0, 500) || code.slice(0, 64)}`, {
    fields: { refusal: code.slice(0, 64), retryAfterMs },
    ...(nextStep === undefined ? {} : { nextStep }),
  });
}

/** `skewMs` > 0: the core's clock is ahead of ours. */
export function clockSkewError(skewMs: number, cause?: unknown): ThalwegError {
  const side = skewMs >= 0 ? 'behind' : 'ahead of';
  return new ThalwegError(
    'clock_skew',
    `this device's clock is ${formatDuration(Math.abs(skewMs))} ${side} the core's`,
    {
      fields: { skewMs: Math.round(skewMs) },
      nextStep: clockNextStep(),
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** `5 h 3 min`, `2 d 4 h`, `40 s`: the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  const shown = parts.slice(first, first + 2).filter(([n]) => n > 0);
  return shown.map(([n, unit]) => `${n} ${unit}`).join(' ');
}

const DATE_ERRORS: ReadonlySet<string> = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);
const TRUST_ERRORS: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** The error where something answers that is not a core. */
export function notACore(address: string, detail: string, cause?: unknown): ThalwegError {
  return new ThalwegError('protocol_violation', `${address} does not speak Thalweg's protocol: ${detail}`, {
    fields: { address },
    nextStep: AGENT_PORT,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True when TLS refused a certificate for its dates: this device's clock, or the core's, is wrong. */
export function saysWrongDate(cause: unknown): boolean {
  return DATE_ERRORS.has(errnoOf(cause) ?? '');
}

/** The error for a failed connection to `address`. `skewMs`: the core's clock less ours, where it is known. */
export function connectionError(address: string, cause: unknown, skewMs?: number): ThalwegError {
  if (cause instanceof ThalwegError) return cause;
  const errno = errnoOf(cause) ?? '';
  const text = cause instanceof Error ? cause.message : String(cause);
  if (saysWrongDate(cause)) {
    if (skewMs !== undefined && Math.abs(skewMs) > MAX_CLOCK_SKEW_MS) return clockSkewError(skewMs, cause);
    const what = errno === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return new ThalwegError('clock_skew', `by this device's clock the certificate of the core at ${address} ${what}`, {
      cause,
      fields: { address, errno },
      nextStep: clockNextStep(),
    });
  }
  if (TRUST_ERRORS.has(errno)) {
    return new ThalwegError('ca_mismatch', `${address} is not the core this device knows: ${errno}`, {
      cause,
      fields: { address, errno },
      nextStep: 'check that the address still belongs to the core, and that nobody is in between',
    });
  }
  if (/alert (certificate|bad certificate|unknown ca)|alert number (4[2-9])/i.test(text)) {
    return new ThalwegError('certificate_invalid', `the core at ${address} does not accept this device's certificate`, {
      cause,
      fields: { address, errno },
      nextStep: REJOIN,
    });
  }
  if (errno === 'ETIMEDOUT' || /timed? ?out/i.test(text)) {
    return new ThalwegError('timeout', `the core at ${address} did not answer in time`, {
      cause,
      fields: { address },
      nextStep: 'check that the core runs and that no firewall drops TCP to its agent port',
    });
  }
  if (errno === 'EPROTO' || errno.startsWith('ERR_SSL_') || errno.startsWith('HPE_')) {
    return notACore(address, `it does not answer with TLS 1.3 (${errno})`, cause);
  }
  if (errno === 'ENOTFOUND' || errno === 'EAI_AGAIN') {
    return new ThalwegError(
      'unreachable',
      `the core at ${address} cannot be reached: its name has no address (${errno})`,
      {
        cause,
        fields: { address, errno },
        nextStep: 'check the name and the DNS of this device, or have the core name its address with --advertise',
      },
    );
  }
  return new ThalwegError('unreachable', `the core at ${address} cannot be reached: ${errno || text.slice(0, 200)}`, {
    cause,
    fields: { address, errno },
    nextStep: 'check that the core runs, the address is right and no firewall is in the way',
  });
}

function clockNextStep(): string {
  return 'set the clock (timedatectl set-ntp true) and run the same command again';
}
