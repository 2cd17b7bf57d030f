/** Exit codes of `thalweg`, the same for every command. */
import type { ErrorCode } from '../protocol/error.ts';

export const EXIT = {
  ok: 0,
  /** An expectation was missed, or the system failed. */
  failed: 1,
  /** Wrong usage or input. */
  usage: 2,
  /** The core cannot be reached. */
  unreachable: 3,
  notFound: 4,
  /** A privilege, a program or a kernel feature is missing. */
  missing: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case 'invalid_argument':
    case 'invalid_config':
    case 'invalid_scenario':
    case 'token_malformed':
      return EXIT.usage;
    case 'unreachable':
    case 'timeout':
      return EXIT.unreachable;
    case 'not_found':
      return EXIT.notFound;
    case 'missing_program':
    case 'missing_privilege':
    case 'missing_kernel_feature':
      return EXIT.missing;
    default:
      return EXIT.failed;
  }
}
