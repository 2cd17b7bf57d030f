/** The lab's side of the reaper: see reaper-program.ts. */
import { createInterface } from 'node:readline';
import { ThalwegError } from '../protocol/error.ts';
import { type ChildProcess, spawnMachine } from './machine-command.ts';
import { type ProcessRecord, recordOf } from './process-record.ts';

export class Reaper {
  readonly record: ProcessRecord;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, record: ProcessRecord) {
    this.#child = child;
    this.record = record;
  }

  /** Claims the name and watches over it. Throws already_exists. */
  static async start(programPath: string, name: string): Promise<Reaper> {
    const child = spawnMachine([process.execPath, programPath, name], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const answer = await firstLine(child);
    const record = child.pid === undefined ? undefined : recordOf(child.pid);
    if (answer === 'taken') {
      throw new ThalwegError('already_exists', `a lab named ${name}, or what a crash left of one, is there already`, {
        fields: { lab: name },
        nextStep: `remove it with \`thalweg lab down ${name}\`, or choose another name`,
      });
    }
    if (answer !== 'claimed' || record === undefined) {
      throw new ThalwegError('internal', `the lab's reaper did not start (${programPath})`, {
        nextStep: 'build the project: npm start does',
      });
    }
    child.stdout?.destroy();
    child.unref();
    return new Reaper(child, record);
  }

  /** The lab is gone or stays on purpose. Idempotent. */
  release(): void {
    const stdin = this.#child.stdin;
    if (stdin === null || stdin.destroyed || stdin.writableEnded) return;
    stdin.on('error', () => {}); // it was killed with the lab
    stdin.end('done\n');
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on('error', () => resolve(''));
    child.on('exit', () => resolve(''));
    if (child.stdout === null) return resolve('');
    createInterface({ input: child.stdout })
      .once('line', resolve)
      .once('close', () => resolve(''));
  });
}
