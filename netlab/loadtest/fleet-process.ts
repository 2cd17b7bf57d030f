/** A child process of simulated agents, from its parent's side. */

import { ThalwegError } from '../../protocol/error.ts';
import { programFile } from '../../protocol/program-file.ts';
import { type ChildProcess, spawnMachine } from '../machine-command.ts';
import type { FleetAnswer, FleetCommand } from './load-fleet.ts';

export class FleetProcess {
  readonly #child: ChildProcess;
  #waiting: { resolve: (answer: FleetAnswer) => void; reject: (error: Error) => void } | undefined;
  #ended: string | undefined;

  constructor() {
    const argv = [process.execPath, programFile('netlab/loadtest/load-fleet-program')];
    this.#child = spawnMachine(argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child.on('message', (answer: FleetAnswer) => {
      this.#waiting?.resolve(answer);
      this.#waiting = undefined;
    });
    this.#child.on('exit', (code, signal) => {
      this.#ended = signal ?? `exit code ${code}`;
      this.#waiting?.reject(this.#failure());
    });
  }

  send(command: FleetCommand): void {
    if (this.#ended !== undefined) throw this.#failure();
    this.#child.send(command);
  }

  /** What its agents have seen until now. Rejects when the process has ended. */
  collect(): Promise<FleetAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#failure());
      this.#waiting = { resolve, reject };
      this.#child.send({ kind: 'collect' } satisfies FleetCommand);
    });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    if (this.#ended !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }

  #failure(): ThalwegError {
    return new ThalwegError('command_failed', `a process of simulated agents ended with ${this.#ended}`);
  }
}
