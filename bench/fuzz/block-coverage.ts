/**
 * Which blocks of the program have run, as V8 counts them itself (block coverage; see its blog, "JavaScript code
 * coverage", 2017): what guides the fuzzer, without instrumenting anything.
 */
import { Session } from 'node:inspector';
import type { Coverage } from './fuzz-loop.ts';

/** [start, end) offsets in a script's source. */
export type Interval = readonly [start: number, end: number];

interface CoverageRange {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface ScriptCoverage {
  readonly scriptId: string;
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly CoverageRange[] }[];
}

/** What of a function has not run, by nested ranges: the innermost that holds an offset says. */
export function uncoveredIn(ranges: readonly CoverageRange[]): Interval[] {
  const [whole] = ranges;
  if (whole === undefined) return [];
  if (whole.count === 0) return [[whole.startOffset, whole.endOffset]];
  const edges = [...new Set(ranges.flatMap(({ startOffset, endOffset }) => [startOffset, endOffset]))].sort(
    (a, b) => a - b,
  );
  const result: [number, number][] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [start = 0, end = 0] = [edges[i], edges[i + 1]];
    // V8 lists a range after those that hold it
    const innermost = ranges.findLast((range) => range.startOffset <= start && range.endOffset >= end);
    if (innermost?.count !== 0) continue;
    const last = result.at(-1);
    if (last !== undefined && last[1] === start) last[1] = end;
    else result.push([start, end]);
  }
  return result;
}

/** What neither has covered; both sorted and free of overlap. */
export function intersection(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [[startA, endA], [startB, endB]] = [a[i] ?? [0, 0], b[j] ?? [0, 0]];
    const [start, end] = [Math.max(startA, startB), Math.min(endA, endB)];
    if (start < end) result.push([start, end]);
    if (endA < endB) i++;
    else j++;
  }
  return result;
}

export class BlockCoverage implements Coverage {
  readonly #session = new Session();
  readonly #uncovered = new Map<string, readonly Interval[]>();

  start(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  stop(): void {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** Functions that have run at all. */
  get functions(): number {
    return this.#uncovered.size;
  }

  isNew(): boolean {
    return this.#take(false);
  }

  learn(): boolean {
    return this.#take(true);
  }

  #take(keep: boolean): boolean {
    let grown = false;
    for (const script of this.#read()) {
      if (!script.url.startsWith('file:')) continue;
      for (const { ranges } of script.functions) grown = this.#compare(script.scriptId, ranges, keep) || grown;
    }
    return grown;
  }

  #compare(scriptId: string, ranges: readonly CoverageRange[], keep: boolean): boolean {
    const [whole] = ranges;
    if (whole === undefined || whole.count === 0) return false;
    const key = `${scriptId}:${whole.startOffset}:${whole.endOffset}`;
    const known = this.#uncovered.get(key);
    if (known?.length === 0) return false;
    const now = uncoveredIn(ranges);
    const left = known === undefined ? now : intersection(known, now);
    if (known !== undefined && lengthOf(left) === lengthOf(known)) return false;
    if (keep) this.#uncovered.set(key, left);
    return true;
  }

  /** The session answers before `post` returns. */
  #read(): readonly ScriptCoverage[] {
    let result: readonly ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error === null) result = answer.result;
    });
    return result;
  }
}

function lengthOf(intervals: readonly Interval[]): number {
  return intervals.reduce((sum, [start, end]) => sum + end - start, 0);
}
