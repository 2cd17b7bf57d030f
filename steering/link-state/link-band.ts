/**
 * What a link has cost over the last half hour and more: the band within which its present level may lie again soon. A
 * detour must be proven: it is chosen over the direct link only when the tops of its links' bands together stay below the
 * bottom of the direct one's.
 *
 *   samples   the undamped cost every `sampleMs`, the last `samples` of them
 *   swing     `swingShare` quantile of |ln(sample / sample before)|: what a step of an hour ago does not raise, and what
 *             a link that never rests does
 *   top       max(level, min(highest sample, level * e^(reach * swing)))
 *   bottom    min(level, max(lowest sample, level * e^(-reach * swing)))
 *
 * Where the two ends disagree wildly about the link's RTT, nobody knows which is right: the larger is the level, and the
 * smaller counts for the bottom, now and in the samples.
 *
 * So a link that was steady and steps from 5 to 100 ms is believed at once (swing near 0), and one that jumps about by
 * itself counts with its worst as part of a detour, and with its best as the direct link. Before `leastSamples` samples
 * are there, and within the dead band, top and bottom are the level.
 */
export interface LinkBandOptions {
  /** 110 s: long enough that a sample is news and no echo of the one before, short enough that 20 of them make 37 minutes. */
  readonly sampleMs: number;
  /** 20: an extreme of 20 is passed by the next value one time in 21. */
  readonly samples: number;
  /** Fewer say nothing about swing. */
  readonly leastSamples: number;
  /** 0.75: two steps in an hour, or four, are steps; more are the link's nature. */
  readonly swingShare: number;
  /** How many swings the present level reaches: 6 covers the highest and lowest of 20 values for any usual tail. */
  readonly reach: number;
  /** A band narrower than both is none: a quiet network makes no new SPF. */
  readonly deadBandUs: number;
  readonly deadBandRatio: number;
}

export const DEFAULT_LINK_BAND_OPTIONS: LinkBandOptions = {
  sampleMs: 110_000,
  samples: 20,
  leastSamples: 4,
  swingShare: 0.75,
  reach: 6,
  deadBandUs: 300,
  deadBandRatio: 0.03,
};

export class LinkBand {
  readonly #options: LinkBandOptions;
  readonly #ring: Float32Array;
  /** How much less the other end said than what is in `#ring`. */
  readonly #doubts: Float32Array;
  #count = 0;
  #lastMs = 0;
  #undampedUs = 0;
  #doubtUs = 0;
  #swing = 0;
  #highest = 0;
  #lowest = 0;
  #levelUs = 0;
  #leastUs = 0;
  #topUs = 0;
  #bottomUs = 0;

  constructor(options: LinkBandOptions) {
    this.#options = options;
    this.#ring = new Float32Array(options.samples);
    this.#doubts = new Float32Array(options.samples);
  }

  /** The level that was taken last, in microseconds. */
  get levelUs(): number {
    return this.#levelUs;
  }

  /** The least that the link costs now by the word of either end: the level unless they disagree wildly. */
  get leastUs(): number {
    return this.#leastUs;
  }

  /** What the link counts with as a part of a detour, in whole microseconds. */
  get topUs(): number {
    return this.#topUs;
  }

  /** What a detour must stay below when this is the direct link, in whole microseconds. */
  get bottomUs(): number {
    return this.#bottomUs;
  }

  /**
   * Takes the present level and the undamped cost, above 0, and by how much less it would be by the word of the end that
   * measured less, where the ends disagree wildly. True when top or bottom changed.
   */
  update(levelUs: number, undampedUs: number, doubtUs: number, nowMs: number): boolean {
    const o = this.#options;
    // What held until now is the sample, and not the new report, which may be of one end only as yet.
    if (this.#undampedUs > 0 && nowMs >= this.#lastMs + o.sampleMs) {
      this.#doubts[this.#count % o.samples] = this.#doubtUs;
      this.#ring[this.#count++ % o.samples] = this.#undampedUs;
      this.#lastMs = nowMs;
      if (this.#count >= o.leastSamples) this.#learn();
    }
    if (this.#undampedUs === 0) this.#lastMs = nowMs;
    this.#undampedUs = undampedUs;
    this.#doubtUs = doubtUs;
    const [top, bottom] = [this.#topUs, this.#bottomUs];
    this.#levelUs = levelUs;
    this.#topUs = levelUs;
    this.#bottomUs = levelUs;
    if (this.#count >= o.leastSamples) {
      const factor = Math.exp(o.reach * this.#swing);
      const dead = Math.max(o.deadBandUs, o.deadBandRatio * levelUs);
      const highest = Math.min(this.#highest, levelUs * factor);
      const lowest = Math.max(this.#lowest, levelUs / factor);
      if (highest > levelUs + dead) this.#topUs = Math.round(highest);
      if (lowest < levelUs - dead) this.#bottomUs = Math.round(lowest);
    }
    this.#leastUs = doubtUs > 0 ? Math.max(1, Math.min(levelUs, Math.round(undampedUs - doubtUs))) : levelUs;
    this.#bottomUs = Math.min(this.#bottomUs, this.#leastUs);
    return top !== this.#topUs || bottom !== this.#bottomUs;
  }

  #learn(): void {
    const { samples, swingShare } = this.#options;
    const kept = Math.min(this.#count, samples);
    const swings = new Float64Array(kept - 1);
    [this.#highest, this.#lowest] = [0, Number.POSITIVE_INFINITY];
    let before = 0;
    for (let i = 0; i < kept; i++) {
      const at = (this.#count - kept + i) % samples;
      const level = this.#ring[at] ?? 0;
      this.#highest = Math.max(this.#highest, level);
      this.#lowest = Math.min(this.#lowest, level - (this.#doubts[at] ?? 0));
      if (i > 0) swings[i - 1] = Math.abs(Math.log(level / before));
      before = level;
    }
    swings.sort();
    this.#swing = swings[Math.floor(swingShare * swings.length)] ?? 0;
  }
}
