/**
 * Makes the kernel agree with what the agent wants: one apply at a time, at once when something new is wanted, once
 * more after the kernel was touched, and every few seconds whatever happens. Requests that come while an apply runs
 * are answered together by the next one.
 */
import type { ApplyReport, DesiredOverlay, Overlay } from '../overlay/overlay-state.ts';
import type { Clock, Timer } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';

/** `wanted`: the agent wants something else. `watched`: the kernel changed. `interval`: the safety net. */
export type ReconcileCause = 'wanted' | 'watched' | 'interval';

/** Desired state, with a tag that comes back with the outcome (the table it was computed from). */
export interface Wanted<Tag> {
  readonly overlay: DesiredOverlay;
  readonly tag: Tag;
}

export interface ReconcileOutcome<Tag> {
  readonly tag: Tag;
  readonly report: ApplyReport | undefined;
  readonly error: ThalwegError | undefined;
  readonly durationMs: number;
  /** Changes that nobody here had asked for: something else had touched what is ours. */
  readonly foreignRepairs: number;
}

export interface ReconcilerDeps<Tag> {
  readonly overlay: Pick<Overlay, 'apply' | 'watch'>;
  readonly clock: Clock;
  /** Called when an apply begins: what is wanted at that moment. */
  readonly wanted: () => Wanted<Tag>;
  readonly onOutcome: (outcome: ReconcileOutcome<Tag>) => void;
  /** The kernel or the underlay changed; called before the apply that follows. */
  readonly onWatched: () => void;
}

export interface ReconcilerOptions {
  /** Safety net. 4 s: what somebody deletes by hand is back within 5 s even where no event told us. */
  readonly reconcileIntervalMs: number;
  /** Own changes cause events too; they and bursts of others are answered once. Default 100 ms. */
  readonly watchDebounceMs?: number;
}

/** The kernel announces a change within milliseconds; its watcher holds it back for 200 ms; the rest is for a loaded host. */
const OWN_ECHO_MS = 500;
/** Seldom enough while a mesh comes up and changes every moment; soon enough for what must be back within 5 s. */
const AFTER_ECHO_MS = 1_500;

export class Reconciler<Tag> {
  readonly #deps: ReconcilerDeps<Tag>;
  readonly #options: ReconcilerOptions;
  #pending = new Set<ReconcileCause>();
  #running: Promise<void> | undefined;
  #interval: Timer | undefined;
  #debounce: Timer | undefined;
  #watch: { stop(): Promise<void> } | undefined;
  #stopped = false;
  #lastWasClean = false;
  #ownEchoUntilMonoMs = 0;
  #waiters: ((outcome: ReconcileOutcome<Tag>) => void)[] = [];

  constructor(deps: ReconcilerDeps<Tag>, options: ReconcilerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Applies once, then watches. Resolves with the first outcome, which may hold an error; never rejects. */
  async start(): Promise<ReconcileOutcome<Tag>> {
    const first = await this.request();
    if (!this.#stopped && this.#watch === undefined) {
      this.#watch = this.#deps.overlay.watch(() => this.#watched());
      this.#arm();
    }
    return first;
  }

  /** Asks for an apply of what is wanted now; resolves with its outcome. An apply that already runs does not count. */
  request(): Promise<ReconcileOutcome<Tag>> {
    if (this.#stopped) return Promise.resolve(this.#stoppedOutcome());
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#trigger('wanted');
    });
  }

  /** Waits for a running apply; nothing is applied afterwards. Idempotent. The data plane stays as it is. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#interval?.cancel();
    this.#debounce?.cancel();
    this.#pending.clear();
    await this.#running;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(this.#stoppedOutcome());
    await this.#watch?.stop();
    this.#watch = undefined;
  }

  #stoppedOutcome(): ReconcileOutcome<Tag> {
    const error = new ThalwegError('internal', 'the agent is stopping; nothing more is applied');
    return { tag: this.#deps.wanted().tag, report: undefined, error, durationMs: 0, foreignRepairs: 0 };
  }

  #watched(): void {
    if (this.#stopped || this.#debounce !== undefined) return;
    // Our own changes are announced too, and perhaps what somebody else did at that moment: looked at once they are over.
    const ownEcho = this.#running !== undefined || this.#deps.clock.monoMs() < this.#ownEchoUntilMonoMs;
    const delayMs = ownEcho ? AFTER_ECHO_MS : (this.#options.watchDebounceMs ?? 100);
    this.#debounce = this.#deps.clock.after(delayMs, () => {
      this.#debounce = undefined;
      if (this.#stopped) return;
      if (!ownEcho) this.#deps.onWatched();
      this.#trigger('watched');
    });
  }

  #arm(): void {
    this.#interval?.cancel();
    if (this.#stopped) return;
    this.#interval = this.#deps.clock.after(this.#options.reconcileIntervalMs, () => {
      this.#trigger('interval');
      this.#arm();
    });
  }

  #trigger(cause: ReconcileCause): void {
    if (this.#stopped) return;
    this.#pending.add(cause);
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#pending.size > 0 && !this.#stopped) {
      const asked = this.#pending.has('wanted');
      const waiters = this.#waiters;
      this.#pending = new Set();
      this.#waiters = [];
      const outcome = await this.#applyOnce(asked);
      this.#deps.onOutcome(outcome);
      for (const resolve of waiters) resolve(outcome);
    }
  }

  async #applyOnce(asked: boolean): Promise<ReconcileOutcome<Tag>> {
    const { clock, overlay, wanted } = this.#deps;
    const startedAtMonoMs = clock.monoMs();
    const { overlay: desired, tag } = wanted();
    try {
      const report = await overlay.apply(desired);
      // After a failed apply, or where something new was wanted, changes are our own.
      const foreignRepairs = asked || !this.#lastWasClean ? 0 : report.changes.length;
      this.#lastWasClean = true;
      if (report.changes.length > 0) this.#ownEchoUntilMonoMs = clock.monoMs() + OWN_ECHO_MS;
      return { tag, report, error: undefined, durationMs: clock.monoMs() - startedAtMonoMs, foreignRepairs };
    } catch (cause) {
      this.#lastWasClean = false;
      // Whatever happens next may be what makes it work.
      this.#ownEchoUntilMonoMs = 0;
      const error =
        cause instanceof ThalwegError
          ? cause
          : new ThalwegError('internal', `apply failed: ${String(cause)}`, { cause });
      return { tag, report: undefined, error, durationMs: clock.monoMs() - startedAtMonoMs, foreignRepairs: 0 };
    }
  }
}
