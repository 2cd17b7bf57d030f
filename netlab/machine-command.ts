/** Runs the programs that build a lab. An argv, never a shell line; LC_ALL=C; errors that name the next step. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import type { ExecOptions, ExecResult } from './lab-spec.ts';

/** Debian's package of each program that the lab calls. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  socat: 'socat',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  ping: 'iputils-ping',
  iperf3: 'iperf3',
  wg: 'wireguard-tools',
};
const DEFAULT_TIMEOUT_MS = 60_000;
/** What is kept of each output stream; the rest is read and dropped. */
const MAX_OUTPUT_CHARS = 16 * 1024 * 1024;

export function missingProgram(program: string): ThalwegError {
  const name = PACKAGES[program] ?? program;
  return new ThalwegError('missing_program', `the program ${program} is not installed`, {
    fields: { program },
    nextStep: `install it: apt-get install ${name}`,
  });
}

export type { ChildProcess, StdioOptions };

/** Starts a program with the caller's environment. A program that is not there is reported by its `error` event. */
export function spawnMachine(
  argv: readonly string[],
  options: {
    readonly stdio: StdioOptions;
    readonly detached?: boolean;
    readonly env?: Readonly<Record<string, string>>;
  },
): ChildProcess {
  const [program = '', ...args] = argv;
  return spawn(program, args, { ...options, env: { ...process.env, ...options.env } });
}

/** Throws missing_program for the first that is not in PATH. */
export function requirePrograms(programs: readonly string[]): void {
  const dirs = (process.env['PATH'] ?? '').split(delimiter);
  const missing = programs.find((program) => !dirs.some((dir) => isThere(join(dir, program))));
  if (missing !== undefined) throw missingProgram(missing);
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Runs to the end. Throws missing_program, timeout; not on the exit code. */
export function execMachine(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, LC_ALL: 'C' }, stdio: 'pipe' });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT_CHARS) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT_CHARS) stderr += text;
    });
    child.stdin.on('error', () => {}); // a program that ends without reading its input
    child.on('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(
        cause.code === 'ENOENT'
          ? missingProgram(program)
          : new ThalwegError('command_failed', `${program}: ${cause.message}`, { cause }),
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (timedOut) reject(new ThalwegError('timeout', `${commandName(argv)} did not end within ${timeoutMs} ms`));
      else resolve({ stdout, stderr, exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
    });
    child.stdin.end(options.stdin ?? '');
  });
}

/** As execMachine, and throws command_failed on an exit code other than 0. Returns standard output. */
export async function runMachine(argv: readonly string[], stdin?: string): Promise<string> {
  const result = await execMachine(argv, stdin === undefined ? {} : { stdin });
  if (result.exitCode === 0) return result.stdout;
  const said = `${result.stderr}${result.stdout}`.trim().split('\n').slice(0, 5).join('; ');
  throw new ThalwegError('command_failed', `${commandName(argv)} failed with exit code ${result.exitCode}: ${said}`, {
    fields: { exitCode: result.exitCode },
    nextStep: 'look for leftovers with `thalweg lab status`, remove them with `thalweg lab down`',
  });
}

/** Enough of the command to know it again; standard input is never part of it. */
function commandName(argv: readonly string[]): string {
  return argv.join(' ').slice(0, 120);
}
