/**
 * CommandRunner that lets one small shell start the programs. A process starts another by copying its own page tables:
 * with Node's hundred megabytes that takes it 3 ms or more, during which nothing else runs in it; a shell of one megabyte
 * needs a tenth of that. The shell reads commands on its standard input, one at a time, and marks the end of each one's
 * output with a word that is different in every run. It ends when its input does, also when this process is killed.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import { SerialWork } from '../protocol/serial-work.ts';
import type { CommandOptions, CommandResult, CommandRunner, CommandStream } from './command-runner.ts';
import { OutputUntilMark } from './output-until-mark.ts';
import {
  DEFAULT_TIMEOUT_MS,
  locateProgram,
  MAX_OUTPUT_BYTES,
  MAX_STDERR_BYTES,
  PROGRAM_PATH,
  ProcessRunner,
  type ProcessRunnerOptions,
} from './process-runner.ts';

/** What a shell returns for a program that it does not find (POSIX.1-2017, Shell Command Language, 2.8.2). */
const NOT_FOUND = 127;

export class ShellRunner implements CommandRunner {
  readonly #direct: ProcessRunner;
  readonly #prefix: readonly string[];
  readonly #paths = new Map<string, string>();
  #shell: Shell | undefined;
  readonly #turns = new SerialWork();

  constructor(options: ProcessRunnerOptions = {}) {
    this.#direct = new ProcessRunner(options);
    this.#prefix = options.commandPrefix ?? [];
  }

  /** As ProcessRunner, one at a time. Daemons, and the few commands that a shell's line cannot carry, are started directly. */
  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { stdin = '' } = options;
    const { daemon, env, niceness } = options;
    const isPlain = daemon !== true && env === undefined && niceness === undefined && argv.length > 0;
    const isText = (stdin === '' || stdin.endsWith('\n')) && ![...argv, stdin].some((text) => text.includes('\0'));
    if (!isPlain || !isText) return this.#direct.run(argv, options);
    return this.#turns.run(() => this.#runInShell(argv, options));
  }

  stream(argv: readonly string[], onLine: (line: string) => void, onEnd: () => void): CommandStream {
    return this.#direct.stream(argv, onLine, onEnd);
  }

  /** By its full path: some shells (BusyBox) would take a command of their own that has the same name. */
  #located([program = '', ...args]: readonly string[]): readonly string[] {
    if (this.#prefix.length > 0) return [program, ...args]; // it may see other files than this process
    const path = this.#paths.get(program) ?? locateProgram(program);
    if (path !== program) this.#paths.set(program, path);
    return [path, ...args];
  }

  async #runInShell(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
    if (this.#shell?.ended !== false) this.#shell = Shell.start(this.#prefix);
    const result = await this.#shell.run(this.#located(argv), options);
    // It was not started, and ProcessRunner knows how to say what is missing.
    return result === undefined || result.exitCode === NOT_FOUND ? this.#direct.run(argv, options) : result;
  }
}

/** One shell process, and the command that it runs. */
class Shell {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #mark = `end-${randomBytes(12).toString('hex')}`;
  #stdout = new OutputUntilMark(this.#mark, MAX_OUTPUT_BYTES);
  #stderr = new OutputUntilMark(this.#mark, MAX_STDERR_BYTES);
  #settle: ((failure?: string) => void) | undefined;
  ended = false;

  static start(prefix: readonly string[]): Shell {
    const [program = 'sh', ...args] = [...prefix, 'sh', '-s'];
    // A session of its own: a terminal's Ctrl-C must not cut a change of the kernel in half, and all can be killed at once.
    return new Shell(spawn(program, args, { env: { PATH: PROGRAM_PATH, LC_ALL: 'C' }, stdio: 'pipe', detached: true }));
  }

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    const ended = (): void => {
      this.ended = true;
      this.#settle?.('the shell that runs it ended');
    };
    child.on('error', ended);
    child.on('close', ended);
    child.stdin.on('error', () => {}); // 'close' says it
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.#stdout.add(chunk)) this.#settle?.(`output over ${MAX_OUTPUT_BYTES} bytes`);
      else this.#look();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr.add(chunk);
      this.#look();
    });
    this.#keepAlive(false);
  }

  /** Undefined: the shell never started. Throws command_failed as ProcessRunner does. */
  run(argv: readonly string[], options: CommandOptions): Promise<CommandResult | undefined> {
    if (this.#child.pid === undefined) return Promise.resolve(undefined);
    const { stdin = '', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    this.#stdout = new OutputUntilMark(this.#mark, MAX_OUTPUT_BYTES);
    this.#stderr = new OutputUntilMark(this.#mark, MAX_STDERR_BYTES);
    this.#keepAlive(true);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle?.(`no end after ${timeoutMs} ms`), timeoutMs);
      this.#settle = (failure) => {
        clearTimeout(timer);
        this.#settle = undefined;
        this.#keepAlive(false);
        if (failure !== undefined) {
          this.#kill();
          const wanted = basename(argv[0] ?? '');
          return reject(new ThalwegError('command_failed', `${wanted}: ${failure}`, { fields: { program: wanted } }));
        }
        const code = Number(this.#stdout.afterMark);
        resolve({ exitCode: code, stdout: this.#stdout.text(), stderr: this.#stderr.text() });
      };
      this.#child.stdin.write(commandText(argv, stdin, this.#mark));
    });
  }

  #look(): void {
    if (this.#stdout.isComplete && this.#stderr.isComplete) this.#settle?.();
  }

  /** Idle, it does not keep this process from ending. */
  #keepAlive(busy: boolean): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const part of [this.#child, stdin, stdout, stderr] as { ref?(): void; unref?(): void }[]) {
      if (busy) part.ref?.();
      else part.unref?.();
    }
  }

  #kill(): void {
    this.ended = true;
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // it is gone already
    }
  }
}

/** What the shell is to read: the command, quoted; its input as a here-document; the marks. Pure. */
export function commandText(argv: readonly string[], stdin: string, mark: string): string {
  const words = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const input = stdin === '' ? '</dev/null\n' : `<<'${mark}'\n${stdin}${mark}\n`;
  return `${words} ${input}printf '\\n${mark} %d\\n' $?; printf '\\n${mark} \\n' >&2\n`;
}
