/** The part of a lab that a scenario run uses, and programs in its hosts as objects. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Lab } from '../lab.ts';

export type RunLab = Pick<
  Lab,
  | 'name'
  | 'driver'
  | 'apiTarget'
  | 'setLink'
  | 'hostDir'
  | 'spawn'
  | 'exec'
  | 'startCore'
  | 'stopCore'
  | 'join'
  | 'startAgent'
  | 'stopAgent'
  | 'powerOff'
  | 'powerOn'
  | 'down'
>;

/** A program in a lab host whose standard output is read line by line. */
export class HostProgram {
  readonly lines: string[] = [];
  readonly #child: ReturnType<RunLab['spawn']>;
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  readonly #watchers = new Set<(line: string) => void>();
  #running = true;

  constructor(lab: RunLab, clock: Clock, host: string, argv: readonly string[]) {
    this.#clock = clock;
    this.#child = lab.spawn(host, argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    const output = this.#child.stdout;
    if (output === null) throw new ThalwegError('internal', `${argv[0]} on ${host} has no standard output`);
    const reader = createInterface({ input: output });
    reader.on('line', (line) => {
      this.lines.push(line);
      for (const watch of this.#watchers) watch(line);
    });
    const closed = once(reader, 'close');
    const gone = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.#ended = Promise.all([closed, gone]).then(() => {
      this.#running = false;
    });
  }

  onLine(watch: (line: string) => void): void {
    this.#watchers.add(watch);
  }

  /** Resolves when it has ended and all its output was read, or after `timeoutMs`: false. */
  async ended(timeoutMs: number): Promise<boolean> {
    await deadline(this.#clock, timeoutMs, this.#ended);
    return !this.#running;
  }

  /** Sends `signal` and waits for the end; after `timeoutMs` kills it. Idempotent. */
  async stop(signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
    if (!this.#running) return;
    this.#child.kill(signal);
    if (await this.ended(timeoutMs)) return;
    this.#child.kill('SIGKILL');
    await this.ended(timeoutMs);
  }

  /** The JSON value of the first line that has `key`; undefined when there is none within `timeoutMs`. */
  async json<T>(key: string, timeoutMs: number): Promise<T | undefined> {
    const found = () => this.lines.flatMap((line) => jsonField<T>(line, key) ?? [])[0];
    if (found() !== undefined || !this.#running) return found();
    const seen = new Promise<void>((resolve) => {
      this.onLine((line) => {
        if (jsonField<T>(line, key) !== undefined) resolve();
      });
    });
    await deadline(this.#clock, timeoutMs, Promise.race([seen, this.#ended]));
    return found();
  }
}

function jsonField<T>(line: string, key: string): T | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return (JSON.parse(line) as Record<string, T>)[key];
  } catch {
    return undefined;
  }
}

/** Resolves when `promise` does or `ms` have passed, whichever is first. Keeps the process alive meanwhile. */
export async function deadline(clock: Clock, ms: number, promise: Promise<unknown>): Promise<void> {
  let finish = () => {};
  const late = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const timer = clock.after(ms, finish);
  try {
    await Promise.race([promise, late]);
  } finally {
    timer.cancel();
  }
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const timer = clock.after(Math.max(0, ms), done);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}
