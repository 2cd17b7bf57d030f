/**
 * RTT, its variation and its minimum, from single samples. Noise of a user-space stamp is positive and heavy-tailed
 * (somebody was late), so the level is a low percentile of a window, then smoothed; a sustained step is taken at once.
 *
 *   samples --> window of 25 --> 10th percentile --> smoothing (1/4) --> rttUs
 *                   ^-- three or five in a row above, or two below: the older samples go, the level jumps
 *
 * docs/probing.md says what that does to a step, to an outlier and to noise.
 */

/** 5 s at 5 probes/s: long enough for a percentile, short enough that slow drifts show within seconds. */
const WINDOW_SAMPLES = 25;
/** Third of 25 from below: on a busy host nine of ten samples may be late, and the path's own RTT is still seen. */
const LEVEL_PERCENTILE = 0.1;
/** Weight of the newest level: reaches 90 % of a small change within 8 samples. */
const SMOOTHING = 0.25;
/** With fewer samples than this a percentile means nothing; noise is positive, so the least one is the best guess. */
const SETTLED_SAMPLES = 5;
/**
 * A step up: so many samples in a row, over so long at least, all this far above the level. At 200 ms probes three are seen
 * 0.6 s after the step (plus the new RTT), which a second's deadline leaves room for; that chance gathers three outliers of 5 ms is
 * rare, of the 2 ms that a busy host makes by itself it is not, so small steps need five. Smaller ones are left to the percentile.
 * The time counts because a burst of probes 10 ms apart meets one stall of a host with all of them.
 */
const STEPS_UP = [
  { samples: 3, spanMs: 350, floorUs: 5000, share: 1 / 4 },
  { samples: 5, spanMs: 700, floorUs: 2000, share: 1 / 8 },
] as const;
/** No noise makes an RTT too low, so two samples are enough to believe a better path, and a little is enough of a step. */
const STEP_DOWN = { samples: 2, floorUs: 1000, share: 1 / 32 } as const;
/** A step must also stand out of the window's own spread (between its quartiles). */
const STEP_SPREADS = 4;
/** Downwards a quarter will do: the level is at the window's low end, and little lies far below it by chance. */
const STEP_DOWN_SPREADS = 0.25;
/** Older than this is not "now": the link then has no RTT. */
const STALE_AFTER_MS = 10_000;
/** Half a window: what is measured while a session begins is not the path's jitter. */
const JITTER_PAIRS_MIN = 12;
/** Minimum over 5 minutes, in ten buckets: long enough to see the path's floor, forgotten after a re-route. */
const MIN_BUCKETS = 10;
const MIN_BUCKET_MS = 30_000;

/** A step that the other links of this node take as well is more likely this host's: it must last. */
const SLOW_HOST_SPAN_MS = 2000;
/** A sample this far above the level is a sign of it. */
const ELEVATED = { floorUs: 2000, share: 1 / 8 } as const;

interface Window {
  readonly rttsUs: readonly number[];
  readonly sequences: readonly number[];
  readonly timesMs: readonly number[];
  readonly levelUs: number | null;
}

export interface RttFigures {
  readonly rttUs: number | null;
  readonly minRttUs: number | null;
  readonly jitterUs: number | null;
  /** RTT samples in the window. */
  readonly samples: number;
}

export class LinkMetrics {
  readonly #rttsUs: number[] = [];
  readonly #sequences: number[] = [];
  readonly #timesMs: number[] = [];
  #levelUs: number | null = null;
  #newestAtMs = 0;
  readonly #minUs = new Float64Array(MIN_BUCKETS).fill(Number.POSITIVE_INFINITY);
  #forgotten: Window | null = null;
  #mayReturn = false;
  readonly #minBucket = new Float64Array(MIN_BUCKETS).fill(-1);

  /**
   * One RTT in integer microseconds (at least 1), of the probe `sequence`. Returns true when the level jumped (first
   * sample, or a step): worth telling at once. `slowHost`: most links of this node are late now.
   */
  addSample(sequence: number, rttUs: number, nowMs: number, slowHost = false): boolean {
    if (this.#levelUs !== null && nowMs - this.#newestAtMs > STALE_AFTER_MS) this.restart();
    this.#newestAtMs = nowMs;
    if (this.#mayReturn) this.#returnTo(this.#forgotten, rttUs);
    this.#rttsUs.push(rttUs);
    this.#sequences.push(sequence);
    this.#timesMs.push(nowMs);
    if (this.#rttsUs.length > WINDOW_SAMPLES) this.#keepNewest(WINDOW_SAMPLES);
    this.#addToMinimum(rttUs, nowMs);
    const levelUs = this.#levelUs;
    if (levelUs === null) {
      this.#levelUs = rttUs;
      return true;
    }
    const stepSamples = this.#stepSamples(levelUs, slowHost ? SLOW_HOST_SPAN_MS : 0);
    if (stepSamples > 0) {
      this.#keepNewest(stepSamples);
      this.#levelUs = Math.min(...this.#rttsUs);
      return true;
    }
    if (this.#rttsUs.length < SETTLED_SAMPLES) this.#levelUs = Math.min(...this.#rttsUs);
    else this.#levelUs = levelUs + (percentile(sorted(this.#rttsUs), LEVEL_PERCENTILE) - levelUs) * SMOOTHING;
    return false;
  }

  /** The newest sample is late for this link. */
  get isElevated(): boolean {
    const newestUs = this.#rttsUs.at(-1);
    return newestUs !== undefined && this.#levelUs !== null && isLate(newestUs, this.#levelUs);
  }

  /** Forgets the window, as after an outage: the path may be another one. The minimum stays. */
  restart(): void {
    this.#mayReturn = false;
    this.#forgotten = {
      rttsUs: [...this.#rttsUs],
      sequences: [...this.#sequences],
      timesMs: [...this.#timesMs],
      levelUs: this.#levelUs,
    };
    this.#rttsUs.length = 0;
    this.#sequences.length = 0;
    this.#timesMs.length = 0;
    this.#levelUs = null;
  }

  /** There was no outage: if the next sample is like those before `restart`, they are known again. */
  takeBack(): void {
    this.#mayReturn = this.#levelUs === null;
  }

  figures(nowMs: number): RttFigures {
    const stale = this.#levelUs === null || nowMs - this.#newestAtMs > STALE_AFTER_MS;
    return {
      rttUs: stale || this.#levelUs === null ? null : Math.max(1, Math.round(this.#levelUs)),
      minRttUs: this.#minimumUs(nowMs),
      jitterUs: stale ? null : this.#jitterUs(),
      samples: stale ? 0 : this.#rttsUs.length,
    };
  }

  /** How many of the newest samples make a step away from `levelUs`; 0: none. */
  #stepSamples(levelUs: number, leastSpanMs: number): number {
    const rtts = this.#rttsUs;
    for (const { samples, spanMs, floorUs, share } of STEPS_UP) {
      const floorStepUs = Math.max(floorUs, levelUs * share);
      const row = this.#newestAbove(levelUs + floorStepUs);
      if (row < samples || this.#newestAtMs - (this.#timesMs[rtts.length - row] ?? 0) < Math.max(spanMs, leastSpanMs))
        continue;
      const stepUs = Math.max(floorStepUs, spread(rtts.slice(0, -row)) * STEP_SPREADS);
      if (Math.min(...rtts.slice(-row)) > levelUs + stepUs) return row;
    }
    const { samples, floorUs, share } = STEP_DOWN;
    const stepUs = Math.max(floorUs, levelUs * share, spread(rtts.slice(0, -samples)) * STEP_DOWN_SPREADS);
    return rtts.length >= samples && Math.max(...rtts.slice(-samples)) < levelUs - stepUs ? samples : 0;
  }

  #returnTo(window: Window | null, rttUs: number): void {
    this.#mayReturn = false;
    if (window === null || window.levelUs === null || isLate(rttUs, window.levelUs)) return;
    this.#rttsUs.push(...window.rttsUs);
    this.#sequences.push(...window.sequences);
    this.#timesMs.push(...window.timesMs);
    this.#levelUs = window.levelUs;
  }

  /** How many of the newest samples, in a row, are above `us`. */
  #newestAbove(us: number): number {
    return this.#rttsUs.length - 1 - this.#rttsUs.findLastIndex((rttUs) => rttUs <= us);
  }

  /**
   * Median absolute difference of the RTTs of consecutive probes (IPDV of RFC 3393 section 4.5, on round trips). The
   * median and not the mean: one late sample would count for a whole window as jitter of the path.
   */
  #jitterUs(): number | null {
    const differencesUs: number[] = [];
    for (let i = 1; i < this.#rttsUs.length; i++) {
      if (this.#sequences[i] !== ((this.#sequences[i - 1] ?? 0) + 1) >>> 0) continue;
      differencesUs.push(Math.abs((this.#rttsUs[i] ?? 0) - (this.#rttsUs[i - 1] ?? 0)));
    }
    return differencesUs.length < JITTER_PAIRS_MIN ? null : Math.round(percentile(sorted(differencesUs), 0.5));
  }

  #keepNewest(count: number): void {
    const surplus = this.#rttsUs.length - count;
    this.#rttsUs.splice(0, surplus);
    this.#sequences.splice(0, surplus);
    this.#timesMs.splice(0, surplus);
  }

  #addToMinimum(rttUs: number, nowMs: number): void {
    const bucket = Math.floor(nowMs / MIN_BUCKET_MS);
    const slot = bucket % MIN_BUCKETS;
    const least = this.#minBucket[slot] === bucket ? (this.#minUs[slot] ?? rttUs) : Number.POSITIVE_INFINITY;
    this.#minBucket[slot] = bucket;
    this.#minUs[slot] = Math.min(least, rttUs);
  }

  #minimumUs(nowMs: number): number | null {
    const oldest = Math.floor(nowMs / MIN_BUCKET_MS) - MIN_BUCKETS + 1;
    const least = this.#minUs.reduce(
      (min, us, slot) => ((this.#minBucket[slot] ?? -1) >= Math.max(0, oldest) ? Math.min(min, us) : min),
      Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(least) ? least : null;
  }
}

function isLate(rttUs: number, levelUs: number): boolean {
  return rttUs > levelUs + Math.max(ELEVATED.floorUs, levelUs * ELEVATED.share);
}

function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** Nearest rank below: of three values at 0.25 the least. */
function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.floor(share * (ascending.length - 1))] ?? 0;
}

function spread(values: readonly number[]): number {
  const ascending = sorted(values);
  return percentile(ascending, 0.75) - percentile(ascending, 0.25);
}
