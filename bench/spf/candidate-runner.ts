/** The parent's end of candidate-program.ts. */
import { type ChildProcess, fork } from 'node:child_process';
import { programFile } from '../../protocol/program-file.ts';
import type { CandidateAnswer, CandidateCommand } from './candidate-program.ts';
import type { SpfRun } from './spf-input.ts';

/** All pairs of a general library on a big graph can take minutes. */
const HEAP_MB = 8192;

export class CandidateRunner {
  readonly name: string;
  readonly samplesMs: number[] = [];
  /** Why it was left out, or what went wrong; null while it is fit. */
  unfit: string | null = null;
  failed: string | null = null;
  checksum = '';
  peakMb = 0;
  readonly #child: ChildProcess;

  constructor(name: string) {
    this.name = name;
    this.#child = fork(programFile('bench/spf/candidate-program'), {
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
  }

  get fit(): boolean {
    return this.unfit === null && this.failed === null;
  }

  async open(run: SpfRun): Promise<void> {
    await this.#ask({ kind: 'open', run, name: this.name });
  }

  /** One round; its samples are kept unless it only warms up. */
  async round(warmUp: boolean): Promise<void> {
    const answer = await this.#ask({ kind: 'round' });
    if (answer.kind === 'round' && !warmUp) this.samplesMs.push(...answer.samplesMs);
  }

  async finish(): Promise<void> {
    const answer = await this.#ask({ kind: 'finish' });
    if (answer.kind !== 'finished') return;
    this.checksum = answer.checksum;
    this.peakMb = answer.peakMb;
  }

  stop(): void {
    this.#child.kill();
  }

  #ask(command: CandidateCommand): Promise<CandidateAnswer> {
    return new Promise((resolve) => {
      const done = (answer: CandidateAnswer): void => {
        this.#child.off('message', done);
        this.#child.off('exit', ended);
        if (answer.kind === 'unfit') this.unfit = answer.why;
        if (answer.kind === 'failed') this.failed = answer.message;
        resolve(answer);
      };
      const ended = (code: number | null, signal: string | null): void =>
        done({ kind: 'failed', message: `its process ended (${signal ?? code})` });
      this.#child.on('message', done);
      this.#child.on('exit', ended);
      this.#child.send(command);
    });
  }
}
