/** One decoder under test: what bytes it is given, and what it may do with them. */
import { type ErrorCode, ThalwegError } from '../../protocol/error.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Where its bytes come from: a socket, a file, a program's output. */
  readonly source: string;
  /** Valid inputs, from which others are made; at least one. */
  readonly seeds: () => Uint8Array[];
  /** Words of its language, spliced into inputs. */
  readonly words?: readonly string[];
  /** Returns normally whatever comes; throws when the decoder broke its word. */
  readonly run: (bytes: Uint8Array) => void;
}

const utf8 = new TextDecoder();

/** Text as a file or a program's output is read: what is no UTF-8 becomes U+FFFD. */
export function textTarget(
  target: Omit<FuzzTarget, 'seeds' | 'run'> & {
    readonly seeds: () => readonly string[];
    readonly run: (text: string) => void;
  },
): FuzzTarget {
  return {
    ...target,
    seeds: () => target.seeds().map((seed) => new TextEncoder().encode(seed)),
    run: (bytes) => target.run(utf8.decode(bytes)),
  };
}

/** Runs what may refuse its input, but only with these codes. */
export function refusing(codes: readonly ErrorCode[], body: () => void): void {
  try {
    body();
  } catch (error) {
    if (!(error instanceof ThalwegError) || !codes.includes(error.code)) throw error;
  }
}

/** Throws when a decoder that returns its verdict did not. */
export function verdict(result: { readonly ok: boolean; readonly reason?: string }): void {
  if (typeof result.ok !== 'boolean') throw new TypeError('the decoder returned no verdict');
  if (!result.ok && typeof result.reason !== 'string') throw new TypeError('the decoder gave no reason');
}
