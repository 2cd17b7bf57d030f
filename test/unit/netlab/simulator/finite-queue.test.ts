import { describe, expect, it } from 'vitest';
import { finiteQueue } from '../../../../netlab/simulator/load/finite-queue.ts';

/** By the balance equations alone: P(n) proportional to a^n. */
function oracle(load: number, places: number): { loss: number; waitPackets: number } {
  const terms = Array.from({ length: places + 1 }, (_, n) => load ** n);
  const sum = terms.reduce((a, b) => a + b, 0);
  const loss = (terms[places] ?? 0) / sum;
  const length = terms.reduce((a, term, n) => a + n * (term / sum), 0);
  return { loss, waitPackets: length / (load * (1 - loss)) - 1 };
}

describe('a queue of limited length', () => {
  const loads = [0.01, 0.3, 0.5, 0.9, 0.99, 0.999, 1, 1.001, 1.1, 2, 4];
  it.each(loads.flatMap((load) => [1, 2, 20, 200].map((places) => [load, places] as const)))(
    'is M/M/1/K at load %d with %d places',
    (load, places) => {
      const { loss, waitPackets } = finiteQueue(load, places);
      const expected = oracle(load, places);
      expect(loss).toBeCloseTo(expected.loss, 8);
      expect(waitPackets).toBeCloseTo(expected.waitPackets, 5);
    },
  );

  it('loses what does not fit where much more is sent, also from a queue of thousands', () => {
    expect(finiteQueue(2, 50_000)).toMatchObject({ loss: 0.5 });
    expect(finiteQueue(2, 50_000).waitPackets).toBeCloseTo(49_998, 6);
    expect(finiteQueue(0.5, 50_000)).toEqual({ loss: 0, waitPackets: 1 });
    expect(finiteQueue(0, 10)).toEqual({ loss: 0, waitPackets: 0 });
  });
});
