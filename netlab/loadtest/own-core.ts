/** The core of a load test: a real one, started for it in a folder of its own, on loopback, and gone with it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../protocol/api-client.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { processorMs, readProcessStat } from '../../protocol/process-stat.ts';
import { programFile } from '../../protocol/program-file.ts';
import { pause } from '../pause.ts';
import { signalProcess, waitForEnd } from '../process-record.ts';
import { type StartedProgram, startProgram } from '../started-program.ts';
import { freePort } from './free-port.ts';

/** Reading the state of 10,000 nodes takes seconds. */
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 15_000;
const POLL_MS = 20;

export interface CoreUsage {
  readonly residentBytes: number;
  /** The most that it ever had. */
  readonly peakBytes: number;
  readonly cpuMs: number;
}

export class OwnCore {
  readonly directory = mkdtempSync(join(tmpdir(), 'thalweg-loadtest-'));
  readonly #settings: Readonly<Record<string, unknown>>;
  readonly #cli: string | undefined;
  #program: StartedProgram | undefined;
  #port = 0;

  /** `settings`: of `thalweg core`, beside where it listens and keeps its state. `cli`: the program; default: the build's. */
  constructor(settings: Readonly<Record<string, unknown>>, cli?: string) {
    this.#settings = settings;
    this.#cli = cli;
  }

  get api(): ApiClient {
    return new ApiClient(`unix:${join(this.directory, 'core.sock')}`);
  }

  /** Of the agents. */
  get port(): number {
    return this.#port;
  }

  get stateDir(): string {
    return join(this.directory, 'state');
  }

  get pid(): number {
    return this.#program?.record.pid ?? 0;
  }

  /** Starts it on the port that it had before, if it had one. Resolves when its API answers. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const config = {
      api: 'none',
      ...this.#settings,
      stateDir: this.stateDir,
      listen: `127.0.0.1:${this.#port}`,
      advertise: [`127.0.0.1:${this.#port}`],
      apiSocket: join(this.directory, 'core.sock'),
      logLevel: 'warn',
    };
    const file = join(this.directory, 'core.json');
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    // Ends with this process, however that ends (prctl(2), PR_SET_PDEATHSIG).
    const argv = ['setpriv', '--pdeathsig', 'KILL', process.execPath, this.#cli ?? programFile('cli/main')];
    this.#program = startProgram({
      argv: [...argv, 'core', '--config', file],
      logPath: join(this.directory, 'core.log'),
    });
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      if (this.#program.ended !== undefined) throw this.#program.failure('the core');
      if (await this.#answers()) return;
      if (waitedMs > START_DEADLINE_MS) {
        throw new ThalwegError('timeout', `the core did not answer within ${START_DEADLINE_MS / 1000} s`);
      }
      await pause(POLL_MS);
    }
  }

  /** Ended by itself, or killed. */
  get isOver(): boolean {
    return this.#program?.ended !== undefined;
  }

  /** SIGKILL: nothing is saved, nobody is told. */
  async kill(): Promise<void> {
    const program = this.#program;
    if (program === undefined) return;
    signalProcess(program.record, 'SIGKILL');
    await waitForEnd(program.record, STOP_DEADLINE_MS);
  }

  /** Ends it and removes its folder. Idempotent. */
  async stop(): Promise<void> {
    const program = this.#program;
    if (program !== undefined) {
      signalProcess(program.record, 'SIGTERM');
      if (!(await waitForEnd(program.record, STOP_DEADLINE_MS))) await this.kill();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Of its process, from /proc (proc(5)). */
  usage(): CoreUsage {
    const status = readFileSync(`/proc/${this.pid}/status`, 'latin1');
    const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
    return {
      residentBytes: kib('VmRSS') * 1024,
      peakBytes: kib('VmHWM') * 1024,
      cpuMs: processorMs(readProcessStat(this.pid), false),
    };
  }

  async #answers(): Promise<boolean> {
    try {
      await this.api.get('/v1/tokens');
      return true;
    } catch {
      return false;
    }
  }
}
