import { EXIT } from './exit-code.ts';

/** What a command may use of its process: streams, environment, signals. A test passes its own. */
export interface CliIo {
  /** Results: what was asked for, nothing else. */
  out(text: string): void;
  /** Everything else: errors, hints, progress. */
  err(text: string): void;
  /** Reads standard input to its end, as UTF-8. */
  readInput(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether `out` is a terminal that understands colour. */
  readonly colour: boolean;
  /** Whether `out` is a terminal on which the cursor can be moved, and its size now. */
  readonly live: boolean;
  size(): { readonly columns: number; readonly rows: number };
  nowMs(): number;
  /** Resolves with the signal's name at the first SIGINT or SIGTERM from now on. Replaces the default of ending at once. */
  untilSignal(): Promise<'SIGINT' | 'SIGTERM'>;
}

/** Longest standard input that is read: a token or a config, not a film. */
const MAX_INPUT_BYTES = 1024 * 1024;

export function processIo(): CliIo {
  // A reader that goes away (`thalweg node list | head -1`) is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    // A result that is not whole must not look like success.
    process.stderr.write(`thalweg: the output cannot be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    async readInput() {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_INPUT_BYTES) break;
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    },
    env: process.env,
    // https://no-color.org
    colour: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    live: process.stdout.isTTY === true && process.env.TERM !== 'dumb',
    size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
    nowMs: () => Date.now(),
    untilSignal: () =>
      new Promise((resolve) => {
        process.on('SIGINT', () => resolve('SIGINT'));
        process.on('SIGTERM', () => resolve('SIGTERM'));
      }),
  };
}
