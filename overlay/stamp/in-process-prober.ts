/** A prober on the caller's own thread: for tests, and for programs that have nothing else to do. */
import { type Clock, systemClock } from '../../protocol/clock.ts';
import { type OpenStampSocket, ProbeLoop, type ProbeLoopDeps, type SummaryListener } from './probe-loop.ts';
import { checkSettings, checkTargets } from './probe-settings.ts';
import type { Prober, ProbeSettings, ProbeTarget } from './prober.ts';
import { stampSocketOpener } from './stamp-socket.ts';

export interface InProcessProberOptions {
  /** Milliseconds between summaries. Default 500. */
  readonly summaryIntervalMs?: number;
  /** IPv4 prefix outside of which the reflector answers nobody. Default null: it answers anybody. */
  readonly allowedRange?: string | null;
}

export class InProcessProber implements Prober {
  readonly #deps: Pick<ProbeLoopDeps, 'askKernel' | 'processorShare'>;
  readonly #clock: Clock;
  readonly #openSocket: OpenStampSocket;
  readonly #options: InProcessProberOptions;
  readonly #listeners: SummaryListener[] = [];
  #targets: readonly ProbeTarget[] = [];
  #loop: ProbeLoop | undefined;

  constructor(
    deps: { clock?: Clock; openSocket?: OpenStampSocket } & Pick<ProbeLoopDeps, 'askKernel' | 'processorShare'> = {},
    options: InProcessProberOptions = {},
  ) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#openSocket = deps.openSocket ?? stampSocketOpener(this.#clock);
    this.#options = options;
  }

  async start(bindAddress: string, reflectorPort: number, settings: ProbeSettings): Promise<void> {
    if (this.#loop !== undefined) return;
    checkSettings(settings);
    const loop = new ProbeLoop(
      {
        ...this.#deps,
        clock: this.#clock,
        openSocket: this.#openSocket,
        onSummary: (summaries, counters) => {
          for (const listener of this.#listeners) listener(summaries, counters);
        },
      },
      {
        bindAddress,
        reflectorPort,
        settings,
        summaryIntervalMs: this.#options.summaryIntervalMs ?? 500,
        allowedRange: this.#options.allowedRange ?? null,
      },
    );
    this.#loop = loop;
    loop.setTargets(this.#targets);
    try {
      await loop.start();
    } catch (error) {
      this.#loop = undefined;
      throw error;
    }
  }

  setTargets(targets: readonly ProbeTarget[]): void {
    checkTargets(targets);
    this.#targets = targets;
    this.#loop?.setTargets(targets);
  }

  setSettings(settings: ProbeSettings): void {
    checkSettings(settings);
    this.#loop?.setSettings(settings);
  }

  onSummary(listener: SummaryListener): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    const loop = this.#loop;
    this.#loop = undefined;
    await loop?.stop();
  }
}
