/**
 * Loss of a link out of windows of a few dozen probes, in which one lost probe is already one or two per cent. The
 * estimate is the larger of
 *
 *   the lower confidence bound of the newest window: what it proves, so that heavy loss counts at once
 *   the windows' mean over `smoothingMs`:            so that light but lasting loss counts after a while
 */
export interface LossOptions {
  /** Probes in one end's loss window: the prober's 50. */
  readonly windowProbes: number;
  /** Standard deviations below the measured share: 1.3 is a one-sided 90 %. */
  readonly confidence: number;
  /** Three times the 10 s that a window lasts: one lost probe then stays below the free 0.5 %. */
  readonly smoothingMs: number;
}

export const DEFAULT_LOSS_OPTIONS: LossOptions = { windowProbes: 50, confidence: 1.3, smoothingMs: 30_000 };

export class LossEstimate {
  readonly #options: LossOptions;
  #meanPpm: number | null = null;
  #lastPpm = 0;
  #lastMs = 0;

  constructor(options: LossOptions) {
    this.#options = options;
  }

  /** Takes what `ends` ends measured together, in parts per million; gives the estimate in parts per million. */
  update(lossPpm: number, ends: number, nowMs: number): number {
    const { windowProbes, confidence, smoothingMs } = this.#options;
    const share = lossPpm / 1_000_000;
    const deviation = Math.sqrt((share * (1 - share)) / (windowProbes * Math.max(1, ends)));
    const provenPpm = Math.max(0, share - confidence * deviation) * 1_000_000;
    if (this.#meanPpm === null) this.#meanPpm = provenPpm;
    else this.#meanPpm += (this.#lastPpm - this.#meanPpm) * (1 - Math.exp(-(nowMs - this.#lastMs) / smoothingMs));
    this.#lastPpm = lossPpm;
    this.#lastMs = nowMs;
    return Math.round(Math.max(provenPpm, this.#meanPpm));
  }
}
