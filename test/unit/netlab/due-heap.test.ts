import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DueHeap } from '../../../netlab/due-heap.ts';

describe('DueHeap', () => {
  test('equals a stable sort, for any sequence', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 100 }), (dues) => {
        const heap = new DueHeap(100);
        for (const [slot, due] of dues.entries()) heap.push(due, slot);
        const popped = dues.map(() => heap.pop());
        const sorted = dues.map((due, slot) => ({ due, slot })).sort((a, b) => a.due - b.due || a.slot - b.slot);
        expect(popped).toEqual(sorted.map(({ slot }) => slot));
        expect(heap.size).toBe(0);
      }),
    );
  });

  test('empty: nothing is due, nothing comes out; full: refuses', () => {
    const heap = new DueHeap(1);
    expect([heap.nextDue, heap.pop()]).toEqual([Infinity, -1]);
    heap.push(3, 0);
    expect(heap.nextDue).toBe(3);
    expect(() => heap.push(4, 1)).toThrow(RangeError);
  });
});
