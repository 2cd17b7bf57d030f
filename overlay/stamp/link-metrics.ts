/**
 * RTT, its variation and its minimum, from single samples. Noise of a user-space stamp is positive and heavy-tailed
 * (somebody was late), so the level is a low percentile of a window, then smoothed; a sustained step is taken at once.
 *
 *   samples --> window of 25 --> 10th percentile --> smoothing (1/4) --> rttUs
 *                   ^-- four or six in a row above, or two below: the older samples go, the level jumps
 *
 * docs/probing.md says what that does to a step, to an outlier and to noise.
 */
import { SlidingMinimum } from './sliding-minimum.ts';

/** 5 s at 5 probes/s: long enough for a percentile, short enough that slow drifts show within seconds. */
const WINDOW_SAMPLES = 25;
/** Third of 25 from below: on a busy host nine of ten samples may be late, and the path's own RTT is still seen. */
const LEVEL_PERCENTILE = 0.1;
/** Weight of the newest level: reaches 90 % of a small change within 8 samples. */
const SMOOTHING = 0.25;
/** With fewer samples than this a percentile means nothing; noise is positive, so the least one is the best guess. */
const SETTLED_SAMPLES = 5;
/**
 * A step up: so many samples in a row, over so long at least, all this far above the level. A second, since a host whose processors
 * are all busy makes three or four of any link's probes late within half a second now and then, and a second on the slower of two
 * paths costs little. That chance gathers outliers of 2 ms is likelier than of 5 ms, so small steps need more. Smaller ones are left
 * to the percentile. The time counts because a burst of probes 10 ms apart meets one stall of a host with all of them.
 */
const SMALL_STEP_UP = { samples: 6, spanMs: 1400, floorUs: 2000, share: 1 / 8 } as const;
const STEPS_UP = [{ samples: 4, spanMs: 1000, floorUs: 5000, share: 1 / 4 }, SMALL_STEP_UP] as const;
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

interface Sample {
  readonly sequence: number;
  readonly rttUs: number;
  readonly atMs: number;
}

/** What is known of the path as it is now. */
interface Window {
  /** Oldest first. */
  readonly samples: Sample[];
  levelUs: number | null;
}

export interface RttFigures {
  readonly rttUs: number | null;
  readonly minRttUs: number | null;
  readonly jitterUs: number | null;
  /** RTT samples in the window. */
  readonly samples: number;
}

export class LinkMetrics {
  #window: Window = { samples: [], levelUs: null };
  /** The one before `restart`, and whether it may have been right all the time. */
  #forgotten: Window = this.#window;
  #mayReturn = false;
  #newestAtMs = 0;
  readonly #minimumUs = new SlidingMinimum(MIN_BUCKETS, MIN_BUCKET_MS);

  /**
   * One RTT in integer microseconds (at least 1), of the probe `sequence`. Returns true when the level jumped (first
   * sample, or a step): worth telling at once. `slowHost`: most links of this node are late now.
   */
  addSample(sequence: number, rttUs: number, nowMs: number, slowHost = false): boolean {
    if (this.#window.levelUs !== null && nowMs - this.#newestAtMs > STALE_AFTER_MS) this.restart();
    this.#newestAtMs = nowMs;
    if (this.#mayReturn && !isLate(rttUs, this.#forgotten)) this.#window = this.#forgotten;
    this.#mayReturn = false;
    const window = this.#window;
    const { samples, levelUs } = window;
    samples.push({ sequence, rttUs, atMs: nowMs });
    if (samples.length > WINDOW_SAMPLES) samples.shift();
    this.#minimumUs.add(rttUs, nowMs);
    if (levelUs === null) {
      window.levelUs = rttUs;
      return true;
    }
    const stepSamples = this.#stepSamples(levelUs, slowHost ? SLOW_HOST_SPAN_MS : 0);
    if (stepSamples > 0) samples.splice(0, samples.length - stepSamples);
    const rttsUs = samples.map((sample) => sample.rttUs);
    if (stepSamples > 0 || samples.length < SETTLED_SAMPLES) window.levelUs = Math.min(...rttsUs);
    else window.levelUs = levelUs + (percentile(sorted(rttsUs), LEVEL_PERCENTILE) - levelUs) * SMOOTHING;
    return stepSamples > 0;
  }

  /** The newest sample is late for this link. */
  get isElevated(): boolean {
    const newest = this.#window.samples.at(-1);
    return newest !== undefined && isLate(newest.rttUs, this.#window);
  }

  /** Forgets the window, as after an outage: the path may be another one. The minimum stays. */
  restart(): void {
    this.#mayReturn = false;
    this.#forgotten = this.#window;
    this.#window = { samples: [], levelUs: null };
  }

  /** There was no outage: if the next sample is like those before `restart`, they are known again. */
  takeBack(): void {
    this.#mayReturn = this.#window.levelUs === null && this.#forgotten.levelUs !== null;
  }

  figures(nowMs: number): RttFigures {
    const { samples, levelUs } = this.#window;
    const stale = levelUs === null || nowMs - this.#newestAtMs > STALE_AFTER_MS;
    const minRttUs = this.#minimumUs.at(nowMs);
    return {
      rttUs: stale ? null : Math.max(1, Math.round(levelUs)),
      minRttUs: Number.isFinite(minRttUs) ? minRttUs : null,
      jitterUs: stale ? null : this.#jitterUs(),
      samples: stale ? 0 : samples.length,
    };
  }

  /** How many of the newest samples make a step away from `levelUs`; 0: none. */
  #stepSamples(levelUs: number, leastSpanMs: number): number {
    const rtts = this.#window.samples.map((sample) => sample.rttUs);
    for (const { samples, spanMs, floorUs, share } of STEPS_UP) {
      const floorStepUs = Math.max(floorUs, levelUs * share);
      const first = rtts.findLastIndex((rttUs) => rttUs <= levelUs + floorStepUs) + 1;
      const row = rtts.slice(first);
      const lastedMs = this.#newestAtMs - (this.#window.samples[first]?.atMs ?? this.#newestAtMs);
      if (row.length < samples || lastedMs < Math.max(spanMs, leastSpanMs)) continue;
      const stepUs = Math.max(floorStepUs, spread(rtts.slice(0, first)) * STEP_SPREADS);
      if (Math.min(...row) > levelUs + stepUs) return row.length;
    }
    const { samples, floorUs, share } = STEP_DOWN;
    const stepUs = Math.max(floorUs, levelUs * share, spread(rtts.slice(0, -samples)) * STEP_DOWN_SPREADS);
    return rtts.length >= samples && Math.max(...rtts.slice(-samples)) < levelUs - stepUs ? samples : 0;
  }

  /**
   * Median absolute difference of the RTTs of consecutive probes (IPDV of RFC 3393 section 4.5, on round trips). The
   * median and not the mean: one late sample would count for a whole window as jitter of the path.
   */
  #jitterUs(): number | null {
    const differencesUs: number[] = [];
    let before: Sample | undefined;
    for (const sample of this.#window.samples) {
      if (before !== undefined && sample.sequence === (before.sequence + 1) >>> 0) {
        differencesUs.push(Math.abs(sample.rttUs - before.rttUs));
      }
      before = sample;
    }
    return differencesUs.length < JITTER_PAIRS_MIN ? null : Math.round(percentile(sorted(differencesUs), 0.5));
  }
}

/** By a small step at least; false where there is no level. */
function isLate(rttUs: number, { levelUs }: Window): boolean {
  const { floorUs, share } = SMALL_STEP_UP;
  return levelUs !== null && rttUs > levelUs + Math.max(floorUs, levelUs * share);
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
