/** A program of the lab that runs beside it: its record, its log, and what to say when it ends too early. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { ThalwegError } from '../protocol/error.ts';
import { missingProgram, spawnMachine } from './machine-command.ts';
import { type ProcessRecord, recordOf } from './process-record.ts';

const LAST_LINES = 8;
const MAX_LINE_CHARS = 400;

export interface StartedProgram {
  readonly record: ProcessRecord;
  /** How it ended; undefined while it runs. */
  readonly ended: string | undefined;
  /** The error that says so, with the last lines of its log. */
  failure(what: string): ThalwegError;
}

/**
 * Starts a program in a session of its own (a terminal's Ctrl-C is the lab's business, not its), appending both
 * outputs to `logPath`. Does not keep this process alive. Throws missing_program.
 */
export function startProgram(options: {
  readonly argv: readonly string[];
  readonly logPath: string;
  /** -20 to 19; default 0. */
  readonly nice?: number;
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}): StartedProgram {
  const log = openSync(options.logPath, 'a', 0o600);
  let ended: string | undefined;
  try {
    const child = spawnMachine(options.argv, {
      detached: true,
      stdio: ['ignore', log, log],
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    child.on('error', (cause) => {
      ended = cause.message;
    });
    child.on('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : `signal ${signal}`;
    });
    child.unref();
    const record = child.pid === undefined ? undefined : recordOf(child.pid);
    if (record === undefined) throw missingProgram(options.argv[0] ?? '');
    if (options.nice !== undefined) setPriority(record.pid, options.nice);
    return {
      record,
      get ended() {
        return ended;
      },
      failure: (what) => failureOf(what, ended ?? 'no exit', options.logPath),
    };
  } finally {
    closeSync(log);
  }
}

function failureOf(what: string, how: string, logPath: string): ThalwegError {
  const lines = lastLines(logPath);
  const said = lines.length === 0 ? 'it wrote nothing' : `it last wrote:\n${lines.join('\n')}`;
  return new ThalwegError('command_failed', `${what} ended with ${how}; ${said}`, {
    fields: { log: logPath },
    nextStep: 'the lines above say why; `thalweg lab down` removes what is left of the lab',
  });
}

export function lastLines(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.slice(-LAST_LINES).map((line) => line.slice(0, MAX_LINE_CHARS));
  } catch {
    return [];
  }
}
