/**
 * Round-trip times between places, measured by somebody, read by path:
 *
 *   square     n lines of n numbers in milliseconds, separated by tabs or spaces        (planetlab-rtt/slice_*.txt)
 *   slices     lines of n * n numbers in seconds, one line per point in time            (seattle-rtt/slices.txt)
 *   pings      csv: src, dst, rtt_avg_ms, ...                                           (wondernetwork-2018/pings.csv)
 *   profiles   csv: src_region, src_tier, ..., min_rtt, avg_rtt, max_rtt, mdev_rtt      (skyplane/latency.csv)
 *
 * A round trip crosses both directions, so a pair has one RTT: the mean of what was measured in either direction, or the
 * one that was.
 */
import { ThalwegError } from '../../protocol/error.ts';

export interface RttSource {
  readonly size: number;
  /** Microseconds, the same both ways; null: no path between the two was ever measured. 0 <= a, b < size, a != b. */
  rttUs(a: number, b: number): number | null;
}

export class RttMatrix implements RttSource {
  /** Of the places; numbers where the file has none. */
  readonly names: readonly string[];
  readonly #us: Float64Array;

  /** `us[a * n + b]` in microseconds; NaN: not measured. Throws `invalid_argument` for what no RTT can be. */
  constructor(names: readonly string[], us: Float64Array) {
    const n = names.length;
    if (n < 2 || us.length !== n * n) throw faulty(`${us.length} values are not a square of ${n} by ${n}, 2 or more`);
    for (const [at, value] of us.entries()) {
      if (Number.isNaN(value) || at % (n + 1) === 0) continue;
      if (!(value > 0 && value <= MOST_US)) {
        throw faulty(`the RTT from ${names[Math.floor(at / n)]} to ${names[at % n]} is ${value} us`);
      }
    }
    this.names = names;
    this.#us = us;
  }

  get size(): number {
    return this.names.length;
  }

  rttUs(a: number, b: number): number | null {
    const [there, back] = [this.measuredUs(a, b), this.measuredUs(b, a)];
    if (there === null) return back;
    return back === null ? there : (there + back) / 2;
  }

  /** What was measured from `a` to `b`, in microseconds; null: nothing in this direction. 0 <= a, b < size, a != b. */
  measuredUs(a: number, b: number): number | null {
    const us = this.#us[a * this.size + b] ?? Number.NaN;
    return Number.isNaN(us) ? null : us;
  }

  /** The places with these numbers, in this order. */
  subset(places: readonly number[]): RttMatrix {
    const us = new Float64Array(places.length ** 2).fill(Number.NaN);
    for (const [i, a] of places.entries()) {
      for (const [j, b] of places.entries()) us[i * places.length + j] = this.#us[a * this.size + b] ?? Number.NaN;
    }
    return new RttMatrix(
      places.map((place) => this.names[place] ?? '?'),
      us,
    );
  }
}

/** 120 s: longer than any packet lives. */
const MOST_US = 120_000_000;
/** Seattle's 0 means below 5 ms, its resolution. */
const SECONDS_FLOOR_US = 2_500;
/** Profiles whose least RTT is below this share of the greatest are broken samples (see the data's own description). */
const PROFILE_TRUST = 0.8;

/** Reads a file's text by its form; `slice` picks the point in time where it has several. Throws `invalid_argument`. */
export function parseRttMatrix(text: string, slice = 0): RttMatrix {
  const lines = linesOf(text);
  const [head = ''] = lines;
  if (head.startsWith('src,dst,rtt_avg_ms')) return pings(lines.slice(1));
  if (head.startsWith('src_region,src_tier')) return profiles(lines.slice(1));
  const first = numbers(head, 1);
  if (first.length === lines.length) {
    return square(
      lines.flatMap((line, i) => numbers(line, i + 1)),
      1_000,
      0,
    );
  }
  if (isWholeSquare(first.length)) {
    const chosen = lines[slice];
    if (chosen === undefined) throw faulty(`there is no slice ${slice}: the file has ${lines.length}`);
    return sliceOf(chosen, slice + 1);
  }
  throw faulty(
    `the first line has ${first.length} numbers: neither a square of ${lines.length} lines nor whole slices`,
  );
}

/** All points in time of a file of slices, in order. Throws `invalid_argument`. */
export function parseRttSlices(text: string): RttMatrix[] {
  const slices = linesOf(text).map((line, i) => sliceOf(line, i + 1));
  const sizes = new Set(slices.map(({ size }) => size));
  if (sizes.size !== 1) throw faulty(`slices of ${sizes.size} different sizes`);
  return slices;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

function sliceOf(line: string, number: number): RttMatrix {
  return square(numbers(line, number), 1_000_000, SECONDS_FLOOR_US);
}

function isWholeSquare(count: number): boolean {
  return count > 1 && Number.isInteger(Math.sqrt(count));
}

function square(values: readonly number[], toUs: number, floorUs: number): RttMatrix {
  const n = Math.sqrt(values.length);
  if (!isWholeSquare(values.length)) throw faulty(`${values.length} numbers are not a square`);
  const us = Float64Array.from(values, (value, at) =>
    at % (n + 1) === 0 ? Number.NaN : value < 0 ? value * toUs : Math.max(value * toUs, floorUs),
  );
  return new RttMatrix(
    Array.from({ length: n }, (_, i) => String(i)),
    us,
  );
}

function pings(lines: readonly string[]): RttMatrix {
  return ofPairs(
    lines.map((line, i) => {
      const [from = '', to = '', ms = ''] = line.split(',');
      return { from, to, us: milliseconds(ms, i + 2) };
    }),
  );
}

function profiles(lines: readonly string[]): RttMatrix {
  const trusted = lines.flatMap((line, i) => {
    const [from = '', fromTier, , to = '', toTier, , least = '', mean = '', most = ''] = line.split(',');
    if (fromTier !== 'PREMIUM' || toTier !== 'PREMIUM') return [];
    const us = milliseconds(mean, i + 2);
    // the other direction stands in for a broken sample
    return milliseconds(least, i + 2) < PROFILE_TRUST * milliseconds(most, i + 2) ? [] : [{ from, to, us }];
  });
  return ofPairs(trusted);
}

function ofPairs(pairs: readonly { readonly from: string; readonly to: string; readonly us: number }[]): RttMatrix {
  const names = [...new Set(pairs.flatMap(({ from, to }) => [from, to]))].sort();
  const place = new Map(names.map((name, i) => [name, i]));
  const us = new Float64Array(names.length ** 2).fill(Number.NaN);
  for (const pair of pairs) {
    if (pair.from !== pair.to) us[(place.get(pair.from) ?? 0) * names.length + (place.get(pair.to) ?? 0)] = pair.us;
  }
  return new RttMatrix(names, us);
}

function milliseconds(text: string, line: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isNaN(value)) throw faulty(`line ${line}: ${JSON.stringify(text)} is not a number of milliseconds`);
  return value * 1_000;
}

function numbers(line: string, number: number): number[] {
  return line
    .trim()
    .split(/\s+/)
    .map((text) => {
      const value = Number(text);
      if (Number.isNaN(value)) throw faulty(`line ${number}: ${JSON.stringify(text)} is not a number`);
      return value;
    });
}

function faulty(what: string): ThalwegError {
  return new ThalwegError('invalid_argument', `not a matrix of RTTs: ${what}`, {
    nextStep: 'give a file in one of the forms that docs/simulator.md lists',
  });
}
