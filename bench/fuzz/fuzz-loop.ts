/** The fuzzer: corpus, mutation, coverage, crashes. */
import { type Random, seededRandom } from '../../netlab/seeded-random.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutate } from './mutation.ts';

/** V8 walks its heap to read coverage: tens of milliseconds. At least so many times that long goes into inputs in between. */
const RUNS_PER_READING = 4;
/** But at least this long, and no more inputs than that are kept until coverage is read. */
const LEAST_BATCH_MS = 50;
const MOST_BATCH = 50_000;
/** Inputs that are tried to make one that crashes shorter. */
const SHRINK_TRIES = 400;
/** Different crashes of one target: after so many it is broken, not fuzzed. */
const MOST_CRASHES = 20;

/** Both are about what ran since the last call of either. */
export interface Coverage {
  /** True when something of it had never run before. */
  isNew(): boolean;
  /** As isNew, and from now on it has. */
  learn(): boolean;
  readonly functions: number;
}

export interface Crash {
  readonly message: string;
  /** First frame of ours in the stack; crashes with the same message and place are one. */
  readonly at: string;
  readonly inputBase64: string;
}

export interface FuzzReport {
  readonly target: string;
  readonly inputs: number;
  /** Inputs that covered something new, seeds included. */
  readonly corpus: number;
  readonly functions: number;
  readonly crashes: readonly Crash[];
}

export interface FuzzLoopDeps {
  readonly coverage: Coverage;
  readonly nowMs: () => number;
  /** On the same clock. */
  readonly deadlineMs: number;
  /** Told of each input before it runs: one that hangs or takes all memory is known by that. */
  readonly onInput: (bytes: Uint8Array) => void;
}

export function fuzz(target: FuzzTarget, seed: number, deps: FuzzLoopDeps): FuzzReport {
  const random = seededRandom(seed);
  const corpus: Uint8Array[] = [];
  const crashes = new Map<string, Crash>();
  let inputs = 0;
  const run = (bytes: Uint8Array): void => {
    inputs++;
    deps.onInput(bytes);
    const crash = crashOf(target, bytes);
    if (crash === null || crashes.size >= MOST_CRASHES) return;
    const key = `${crash.message}|${crash.at}`;
    if (crashes.has(key)) return;
    const smallest = shrink(target, bytes, key, random);
    crashes.set(key, { ...crash, inputBase64: Buffer.from(smallest).toString('base64') });
  };
  for (const bytes of [...target.seeds(), new Uint8Array(0)]) {
    run(bytes);
    corpus.push(bytes);
  }
  deps.coverage.learn();
  let readingMs = 0;
  while (deps.nowMs() < deps.deadlineMs && crashes.size < MOST_CRASHES) {
    const batch: Uint8Array[] = [];
    const startMs = deps.nowMs();
    const untilMs = Math.min(deps.deadlineMs, startMs + Math.max(LEAST_BATCH_MS, RUNS_PER_READING * readingMs));
    do {
      const bytes = next(corpus, target, random);
      batch.push(bytes);
      run(bytes);
    } while (deps.nowMs() < untilMs && batch.length < MOST_BATCH);
    const beforeMs = deps.nowMs();
    const isNew = deps.coverage.isNew();
    readingMs = deps.nowMs() - beforeMs;
    const found = isNew ? newcomer(batch, target, deps) : null;
    if (found !== null) corpus.push(found);
  }
  return {
    target: target.name,
    inputs,
    corpus: corpus.length,
    functions: deps.coverage.functions,
    crashes: [...crashes.values()],
  };
}

/** Late inputs of the corpus are where the frontier is: they are taken more often. */
function next(corpus: readonly Uint8Array[], target: FuzzTarget, random: Random): Uint8Array {
  const pick = () => corpus[Math.floor(random() ** 0.5 * corpus.length)] ?? new Uint8Array(0);
  return mutate(pick(), { random, other: pick(), words: target.words ?? [] });
}

/**
 * An input of a batch that covers what nothing covered before, found by halving; what others of the batch cover beside that
 * stays new, and is found again. Null where it does not show when the input runs once more.
 */
function newcomer(batch: readonly Uint8Array[], target: FuzzTarget, deps: FuzzLoopDeps): Uint8Array | null {
  let rest = batch;
  while (rest.length > 1) {
    const half = rest.slice(0, rest.length >> 1);
    for (const bytes of half) {
      deps.onInput(bytes);
      crashOf(target, bytes);
    }
    rest = deps.coverage.isNew() ? half : rest.slice(half.length);
  }
  const [found] = rest;
  if (found === undefined) return null;
  deps.onInput(found);
  crashOf(target, found);
  return deps.coverage.learn() ? found : null;
}

export function crashOf(target: FuzzTarget, bytes: Uint8Array): Crash | null {
  try {
    target.run(bytes.slice());
    return null;
  } catch (error) {
    const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
    const frames = stack.split('\n').filter((line) => line.includes('    at '));
    const at = frames.find((line) => line.includes('file:')) ?? frames[0] ?? '';
    return { message: message.slice(0, 200), at: at.trim(), inputBase64: Buffer.from(bytes).toString('base64') };
  }
}

function shrink(target: FuzzTarget, bytes: Uint8Array, key: string, random: Random): Uint8Array {
  let smallest = bytes;
  for (let attempt = 0; attempt < SHRINK_TRIES; attempt++) {
    const from = Math.floor(random() * smallest.length);
    const count = 1 + Math.floor(random() * Math.max(1, smallest.length / 4));
    const shorter = Uint8Array.from([...smallest.subarray(0, from), ...smallest.subarray(from + count)]);
    const crash = crashOf(target, shorter);
    if (crash !== null && `${crash.message}|${crash.at}` === key) smallest = shorter;
  }
  return smallest;
}
