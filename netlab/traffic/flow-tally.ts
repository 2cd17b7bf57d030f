/** What a sink knows about one flow: which packets came, how often, in which order, how late, and how long nothing came. */
import { DelayHistogram, type DelaySummary } from './delay-histogram.ts';

/** Longest list of missing runs in a report; a flow that is worse than that is reported by its total alone. */
const MAX_RUNS = 5_000;
/** Bits of the first map of sequence numbers; it doubles as needed. */
const FIRST_CAPACITY = 65_536;
/** Two hours at 10,000 packets/s, the most a flow may have. */
const MAX_SEQUENCE = 72_000_000;

/** One second of arrivals, counted from the first. */
export interface TallySecond {
  /** Start of the second: monotonic nanoseconds as a decimal string (JSON has no 64-bit integers). */
  readonly atMonoNs: string;
  readonly received: number;
  /** Longest time without a packet that ended in this second. */
  readonly longestGapUs: number;
}

export interface TallyReport {
  /** Different packets. */
  readonly received: number;
  /** Copies beyond the first of a packet. */
  readonly duplicated: number;
  /** First copies that came after one with a higher sequence number. */
  readonly reordered: number;
  /** -1: none came. */
  readonly highestSequence: number;
  readonly firstAtMonoNs: string | null;
  readonly lastAtMonoNs: string | null;
  /** Missing below the highest: [first sequence number, how many]. */
  readonly missing: readonly (readonly [number, number])[];
  /** The list of missing runs was too long and ends early. */
  readonly missingTruncated: boolean;
  readonly seconds: readonly TallySecond[];
  /** One-way delay of every first copy, from the sender's program to ours. */
  readonly delay: DelaySummary;
}

export class FlowTally {
  #seen = new Uint8Array(FIRST_CAPACITY / 8);
  #received = 0;
  #duplicated = 0;
  #reordered = 0;
  #highest = -1;
  #firstNs: bigint | null = null;
  #lastNs: bigint | null = null;
  readonly #seconds: TallySecond[] = [];
  readonly #delays = new DelayHistogram();
  #secondStartNs = 0n;
  #receivedBefore = 0;
  #longestGapNs = 0n;

  /** Counts one packet. Packets with absurd sequence numbers are ignored; returns false for those. */
  note(sequence: number, sentAtMonoNs: bigint, receivedAtMonoNs: bigint): boolean {
    if (!Number.isInteger(sequence) || sequence < 0 || sequence >= MAX_SEQUENCE) return false;
    this.#turnSecond(receivedAtMonoNs);
    const gapNs = this.#lastNs === null ? 0n : receivedAtMonoNs - this.#lastNs;
    if (gapNs > this.#longestGapNs) this.#longestGapNs = gapNs;
    this.#firstNs ??= receivedAtMonoNs;
    this.#lastNs = receivedAtMonoNs;
    if (this.#mark(sequence)) {
      this.#received++;
      this.#delays.note(Number(receivedAtMonoNs - sentAtMonoNs) / 1_000);
      if (sequence < this.#highest) this.#reordered++;
      else this.#highest = sequence;
    } else {
      this.#duplicated++;
    }
    return true;
  }

  report(): TallyReport {
    const { runs, truncated } = this.#missing();
    return {
      received: this.#received,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      highestSequence: this.#highest,
      firstAtMonoNs: this.#firstNs === null ? null : `${this.#firstNs}`,
      lastAtMonoNs: this.#lastNs === null ? null : `${this.#lastNs}`,
      missing: runs,
      missingTruncated: truncated,
      seconds: this.#lastNs === null ? [] : [...this.#seconds, this.#second()],
      delay: this.#delays.summary(),
    };
  }

  #turnSecond(nowNs: bigint): void {
    if (this.#lastNs === null) {
      this.#secondStartNs = nowNs;
      return;
    }
    if (nowNs - this.#secondStartNs < 1_000_000_000n) return;
    this.#seconds.push(this.#second());
    this.#receivedBefore = this.#received;
    this.#longestGapNs = 0n;
    this.#secondStartNs += ((nowNs - this.#secondStartNs) / 1_000_000_000n) * 1_000_000_000n;
  }

  #second(): TallySecond {
    return {
      atMonoNs: `${this.#secondStartNs}`,
      received: this.#received - this.#receivedBefore,
      longestGapUs: Number(this.#longestGapNs) / 1_000,
    };
  }

  /** True when the packet had not come before. */
  #mark(sequence: number): boolean {
    const byte = sequence >>> 3;
    if (byte >= this.#seen.length) {
      let size = this.#seen.length;
      while (size <= byte) size *= 2;
      const grown = new Uint8Array(size);
      grown.set(this.#seen);
      this.#seen = grown;
    }
    const bit = 1 << (sequence & 7);
    const before = this.#seen[byte] ?? 0;
    this.#seen[byte] = before | bit;
    return (before & bit) === 0;
  }

  #missing(): { runs: [number, number][]; truncated: boolean } {
    const runs: [number, number][] = [];
    let run: [number, number] | null = null;
    for (let sequence = 0; sequence <= this.#highest; sequence++) {
      if (((this.#seen[sequence >>> 3] ?? 0) & (1 << (sequence & 7))) !== 0) {
        run = null;
        continue;
      }
      if (run !== null) run[1]++;
      else if (runs.length === MAX_RUNS) return { runs, truncated: true };
      else {
        run = [sequence, 1];
        runs.push(run);
      }
    }
    return { runs, truncated: false };
  }
}
