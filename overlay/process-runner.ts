/** CommandRunner on real processes. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import {
  type CommandOptions,
  type CommandResult,
  type CommandRunner,
  type CommandStream,
  missingProgram,
} from './command-runner.ts';

export interface ProcessRunnerOptions {
  /** Put before every argument vector, e.g. `['ip', 'netns', 'exec', 'host-a']`: how a lab runs one for another namespace. */
  readonly commandPrefix?: readonly string[];
}

export const DEFAULT_TIMEOUT_MS = 20_000;
/** 60,000 routes are about 15 MB of JSON; more than this means that something else is being read. */
export const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** What is kept of stderr: its first lines say what happened. */
export const MAX_STDERR_BYTES = 64 * 1024;
/** A stream's program has this long to end after SIGTERM. */
const STOP_GRACE_MS = 2_000;

/** Administrators' tools live in sbin, which a service's PATH may lack. */
export const PROGRAM_PATH = [
  process.env['PATH'] ?? '',
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/bin',
  '/bin',
].join(':');

/** How an operator bounds wireguard-go: threads that run at once, and how much garbage it may hold. */
const INHERITED = ['GOMAXPROCS', 'GOGC'].flatMap((name) => {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
});
const ENVIRONMENT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(INHERITED),
  PATH: PROGRAM_PATH,
  LC_ALL: 'C',
};

export class ProcessRunner implements CommandRunner {
  readonly #prefix: readonly string[];

  constructor(options: ProcessRunnerOptions = {}) {
    this.#prefix = options.commandPrefix ?? [];
  }

  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const prefix = [...this.#prefix, ...priorityPrefix(options)];
    const [program, ...args] = [...prefix, ...argv];
    const wanted = argv[0];
    if (program === undefined || wanted === undefined) throw new ThalwegError('internal', 'an empty command');
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        env: { ...options.env, ...ENVIRONMENT },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: options.daemon === true,
      });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let stdoutBytes = 0;
      let stderrBytes = 0;
      let failure: ThalwegError | undefined;
      const giveUp = (reason: string) => {
        failure ??= new ThalwegError('command_failed', `${wanted}: ${reason}`, { fields: { program: wanted } });
        child.kill('SIGKILL');
      };
      const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      const timer = setTimeout(() => giveUp(`no end after ${timeoutMs} ms`), timeoutMs);
      child.stdout.on('data', (chunk: Buffer) => {
        stdoutBytes += chunk.length;
        if (stdoutBytes > MAX_OUTPUT_BYTES) giveUp(`output over ${MAX_OUTPUT_BYTES} bytes`);
        else stdout.push(chunk);
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderrBytes += chunk.length;
        if (stderrBytes <= MAX_STDERR_BYTES) stderr.push(chunk);
      });
      // A program that ends before it has read everything says why on stderr; the broken pipe says nothing more.
      child.stdin.on('error', () => {});
      child.stdin.end(options.stdin ?? '');
      child.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        reject(
          error.code === 'ENOENT'
            ? missingProgram(program)
            : new ThalwegError('command_failed', `${wanted} could not be started: ${error.message}`, { cause: error }),
        );
      });
      child.on('close', (code) => {
        clearTimeout(timer);
        if (failure !== undefined) return reject(failure);
        const result: CommandResult = {
          exitCode: code ?? 128,
          stdout: Buffer.concat(stdout).toString('utf8'),
          stderr: Buffer.concat(stderr).toString('utf8'),
        };
        if (prefix.length > 0 && prefixMissesProgram(result, wanted)) return reject(missingProgram(wanted));
        resolve(result);
      });
    });
  }

  stream(argv: readonly string[], onLine: (line: string) => void, onEnd: () => void): CommandStream {
    // One that waits in silence would not notice that nobody reads it any more, if this process were killed.
    const bound = locateProgram('setpriv') === 'setpriv' ? [] : ['setpriv', '--pdeathsig', 'TERM', '--'];
    const [program, ...args] = [...this.#prefix, ...bound, ...argv];
    const child = spawn(program ?? '', args, {
      env: { PATH: PROGRAM_PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let rest = '';
    let stopped = false;
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_STDERR_BYTES) rest = '';
      for (const line of lines) onLine(line);
    });
    const ended = new Promise<void>((resolve) => {
      let over = false;
      const end = () => {
        if (over) return;
        over = true;
        resolve();
        if (!stopped) onEnd();
      };
      child.on('error', end);
      child.on('close', end);
    });
    return {
      stop: async () => {
        if (!stopped) {
          stopped = true;
          child.kill('SIGTERM');
          const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
          ended.then(() => clearTimeout(timer));
        }
        await ended;
      },
    };
  }
}

/**
 * A session of its own is scheduled as one group (sched(7), autogroup), outside of which the niceness of its threads says
 * nothing: the group is given the same. Where there are no such groups, or we may not, niceness alone.
 */
export function priorityPrefix({ niceness, daemon }: CommandOptions): readonly string[] {
  if (niceness === undefined) return [];
  if (daemon !== true) return ['nice', '-n', `${niceness}`];
  const script = '{ echo "$0" > /proc/self/autogroup; } 2>/dev/null; exec nice -n "$0" "$@"';
  return ['sh', '-c', script, `${niceness}`];
}

/** `ip netns exec` and `nsenter` say in their own words that the program is not there. */
function prefixMissesProgram(result: CommandResult, program: string): boolean {
  return (
    result.exitCode !== 0 &&
    result.stderr.includes(program) &&
    /(exec of|failed to execute|nsenter:|nice:).*No such file or directory/.test(result.stderr)
  );
}

/** The program's full path, or its name where it is not found. */
export function locateProgram(program: string): string {
  if (program.includes('/')) return program;
  for (const folder of PROGRAM_PATH.split(':')) {
    if (folder === '') continue;
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not there, or not ours to run
    }
  }
  return program;
}
