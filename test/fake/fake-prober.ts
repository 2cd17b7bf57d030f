/** A prober whose links a test sets. Holds targets and settings; summaries go out when the test says. */
import type { LinkSummary, ProbeCounters, Prober, ProbeSettings, ProbeTarget } from '../../overlay/stamp/prober.ts';

export const UNMEASURED = {
  health: 'unmeasured',
  rttUs: null,
  minRttUs: null,
  jitterUs: null,
  lossOutPpm: null,
  lossInPpm: null,
  samples: 0,
  grey: false,
} as const;

export class FakeProber implements Prober {
  boundTo: string | undefined;
  settings: ProbeSettings | undefined;
  targets: readonly ProbeTarget[] = [];
  stopped = false;
  readonly links = new Map<number, Partial<LinkSummary>>();
  #listeners: ((summaries: readonly LinkSummary[], counters: ProbeCounters) => void)[] = [];
  #sent = 0;

  async start(bindAddress: string, reflectorPort: number, settings: ProbeSettings): Promise<void> {
    this.boundTo = `${bindAddress}:${reflectorPort}`;
    this.settings = settings;
  }

  setTargets(targets: readonly ProbeTarget[]): void {
    this.targets = targets;
  }

  setSettings(settings: ProbeSettings): void {
    this.settings = settings;
  }

  onSummary(listener: (summaries: readonly LinkSummary[], counters: ProbeCounters) => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.#listeners = [];
  }

  /** Posts the links of the current targets, as set. */
  post(): void {
    this.#sent += this.targets.length;
    const summaries = this.targets.map(({ peerIndex }) => ({ ...UNMEASURED, peerIndex, ...this.links.get(peerIndex) }));
    const counters = {
      sent: this.#sent,
      received: this.#sent,
      reflected: 0,
      doubts: 0,
      lost: 0,
      dropped: { malformed: 1 },
      maxLagMs: 2,
    };
    for (const listener of this.#listeners) listener(summaries, counters);
  }
}
