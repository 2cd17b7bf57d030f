import { describe, expect, it } from 'vitest';
import { intersection, uncoveredIn } from '../../../../bench/fuzz/block-coverage.ts';
import { fuzz } from '../../../../bench/fuzz/fuzz-loop.ts';
import type { FuzzTarget } from '../../../../bench/fuzz/fuzz-target.ts';
import { refusing, textTarget, verdict } from '../../../../bench/fuzz/fuzz-target.ts';
import { MAX_INPUT_BYTES, mutate } from '../../../../bench/fuzz/mutation.ts';
import { allTargets } from '../../../../bench/fuzz/targets.ts';
import { seededRandom } from '../../../../netlab/seeded-random.ts';
import { ThalwegError } from '../../../../protocol/error.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Coverage as V8 would tell it of a decoder that says itself how deep an input got. */
class Depths {
  readonly #known = new Set<number>();
  #seen = new Set<number>();

  note(depth: number): void {
    this.#seen.add(depth);
  }

  get functions(): number {
    return this.#known.size;
  }

  isNew(): boolean {
    const found = [...this.#seen].some((depth) => !this.#known.has(depth));
    this.#seen = new Set();
    return found;
  }

  learn(): boolean {
    const before = this.#known.size;
    for (const depth of this.#seen) this.#known.add(depth);
    this.#seen = new Set();
    return this.#known.size > before;
  }
}

/** Each look at the clock is a millisecond; time is up after `steps` of them, or when `isDone`. */
function run(target: FuzzTarget, coverage: Depths, steps: number, isDone = () => false) {
  let now = 0;
  const nowMs = () => (isDone() ? steps : now++);
  return fuzz(target, 7, { coverage, nowMs, deadlineMs: steps, onInput: () => {} });
}

describe('the fuzzer', () => {
  it('climbs from byte to byte where coverage shows the way, and keeps what got further', () => {
    const depths = new Depths();
    let isReached = false;
    const climber: FuzzTarget = {
      name: 'climber',
      source: 'here',
      seeds: () => [bytesOf('....')],
      run: (bytes) => {
        let depth = 0;
        while (depth < 4 && bytes[depth] === 'TWG1'.charCodeAt(depth)) depth++;
        depths.note(depth);
        isReached ||= depth === 4;
        if (depth === 4) throw new Error('reached');
      },
    };
    const report = run(climber, depths, 400_000, () => isReached);
    expect(report.crashes.map(({ message }) => message)).toEqual(['reached']);
    expect(Buffer.from(report.crashes[0]?.inputBase64 ?? '', 'base64').toString()).toBe('TWG1');
    expect(report.corpus).toBeGreaterThanOrEqual(4);
  });

  it('counts a crash once, with the shortest input that it found', () => {
    const target = textTarget({
      name: 'brittle',
      source: 'here',
      seeds: () => ['a long beginning ! and a long end'],
      run: (text) => {
        if (text.includes('!')) throw new Error('no exclamation');
      },
    });
    const report = run(target, new Depths(), 2_000);
    expect(report.crashes).toHaveLength(1);
    expect(Buffer.from(report.crashes[0]?.inputBase64 ?? '', 'base64').toString()).toBe('!');
  });

  it('takes a refusal with a code of the decoder’s own for an answer, and any other error for a crash', () => {
    const refuse = (code: 'invalid_argument' | 'internal') =>
      refusing(['invalid_argument'], () => {
        throw new ThalwegError(code, 'no');
      });
    expect(() => refuse('invalid_argument')).not.toThrow();
    expect(() => refuse('internal')).toThrow('no');
    expect(() => refusing(['invalid_argument'], () => void JSON.parse('{'))).toThrow(SyntaxError);
    expect(() => verdict({ ok: false })).toThrow('no reason');
  });
});

describe('mutation', () => {
  it('is the same for the same seed, changes something, and stays small', () => {
    const context = (seed: number) => ({ random: seededRandom(seed), other: bytesOf('{"b":[1,2]}'), words: ['w'] });
    const input = bytesOf('{"a":1,"c":"text"}');
    const once = Array.from({ length: 200 }, (_, seed) => mutate(input, context(seed)));
    const twice = Array.from({ length: 200 }, (_, seed) => mutate(input, context(seed)));
    expect(once).toEqual(twice);
    const texts = new Set(once.map((bytes) => Buffer.from(bytes).toString('hex')));
    expect(texts.size).toBeGreaterThan(150);
    expect(Buffer.from(input).toString()).toBe('{"a":1,"c":"text"}');
    expect(mutate(new Uint8Array(MAX_INPUT_BYTES * 2), context(1)).length).toBeLessThanOrEqual(MAX_INPUT_BYTES);
    for (let seed = 0; seed < 100; seed++) expect(mutate(new Uint8Array(0), context(seed))).toBeInstanceOf(Uint8Array);
  });
});

describe('block coverage', () => {
  const range = (startOffset: number, endOffset: number, count: number) => ({ startOffset, endOffset, count });

  it('finds what has not run: the innermost range says', () => {
    expect(uncoveredIn([range(0, 100, 3)])).toEqual([]);
    expect(uncoveredIn([range(0, 100, 0)])).toEqual([[0, 100]]);
    const nested = [range(0, 100, 1), range(10, 50, 0), range(20, 30, 2), range(50, 60, 0)];
    expect(uncoveredIn(nested)).toEqual([
      [10, 20],
      [30, 60],
    ]);
  });

  it('keeps of two what is in both', () => {
    const left = intersection(
      [
        [0, 10],
        [20, 30],
      ],
      [
        [5, 25],
        [28, 40],
      ],
    );
    expect(left).toEqual([
      [5, 10],
      [20, 25],
      [28, 30],
    ]);
    expect(intersection([[0, 5]], [[5, 9]])).toEqual([]);
  });
});

describe('the targets', () => {
  it('have names of their own, and take their own seeds', async () => {
    const targets = await allTargets();
    expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
    expect(targets.length).toBeGreaterThan(25);
    for (const target of targets) {
      const seeds = target.seeds();
      expect(seeds.length, target.name).toBeGreaterThan(0);
      for (const seed of [...seeds, new Uint8Array(0)]) expect(() => target.run(seed), target.name).not.toThrow();
    }
  });
});
