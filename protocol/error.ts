/**
 * The one error class of the project and its closed list of codes. Callers match on `code`; people read `message`,
 * which names what was wrong (the field, the value) and what to do next.
 */

/** Every code that may cross a program boundary: the agent stream, the HTTP API, `--json` output, exit codes. */
export const ERROR_CODES = [
  // input
  'invalid_argument',
  'invalid_config',
  'invalid_scenario',
  'not_found',
  'already_exists',
  'conflict',
  // joining and identity
  'token_malformed',
  'token_unknown',
  'token_expired',
  'token_used_up',
  'token_revoked',
  'ca_mismatch',
  'name_taken',
  'clock_skew',
  'certificate_invalid',
  'node_removed',
  'not_joined',
  'addresses_exhausted',
  'address_range_collision',
  // the agent stream
  'protocol_version',
  'protocol_violation',
  'frame_too_large',
  'out_of_order',
  'heartbeat_timeout',
  'overloaded',
  'replaced',
  'standing_by',
  'table_mismatch',
  // the machine
  'missing_program',
  'missing_privilege',
  'missing_kernel_feature',
  'command_failed',
  'port_in_use',
  'disk_full',
  'storage_failed',
  'mtu_too_small',
  // reaching others
  'unreachable',
  'timeout',
  // the HTTP API
  'unauthenticated',
  'unauthorized',
  'rate_limited',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Named values that explain an error: never keys, tokens or other secrets. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | null>>;

export interface ThalwegErrorOptions {
  /** Values that the message mentions, for logs and `--json`. */
  readonly fields?: ErrorFields;
  /** What the reader should do now, as an imperative sentence without a full stop. */
  readonly nextStep?: string;
  readonly cause?: unknown;
}

/** An error that a person or a program on the other side is meant to see. */
export class ThalwegError extends Error {
  override readonly name = 'ThalwegError';
  readonly code: ErrorCode;
  readonly fields: ErrorFields;
  readonly nextStep: string | undefined;

  constructor(code: ErrorCode, message: string, options: ThalwegErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fields = options.fields ?? {};
    this.nextStep = options.nextStep;
  }

  /** The shape of every error in `--json` output and in the HTTP API. */
  toJSON(): ErrorObject {
    return {
      code: this.code,
      message: this.message,
      ...(this.nextStep === undefined ? {} : { nextStep: this.nextStep }),
      ...(Object.keys(this.fields).length === 0 ? {} : { fields: this.fields }),
    };
  }
}

export interface ErrorObject {
  readonly code: ErrorCode;
  readonly message: string;
  readonly nextStep?: string;
  readonly fields?: ErrorFields;
}

const codes: ReadonlySet<string> = new Set(ERROR_CODES);

/** True when a string received from elsewhere is one of our codes. */
export function isErrorCode(value: string): value is ErrorCode {
  return codes.has(value);
}

/** What parsers of untrusted input return: they never throw on content. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };
