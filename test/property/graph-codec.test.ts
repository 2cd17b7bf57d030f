import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dimacsText } from '../../steering/graph/dimacs-writer.ts';
import { decodeGraph, encodeGraph } from '../../steering/graph/graph-codec.ts';
import { arbitraryNet, graphOf } from '../oracle/arbitrary-net.ts';

const text = (graph: Parameters<typeof dimacsText>[0]) => [...dimacsText(graph)].join('');

/** Puts a right checksum into bytes that were tampered with. */
function sealed(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = 0x811c9dc5;
  for (let at = 4; at + 4 <= bytes.length; at += 4) {
    if (at === 12) continue;
    hash = Math.imul(hash ^ view.getUint32(at, true), 0x01000193);
    hash ^= hash >>> 15;
  }
  view.setUint32(12, hash >>> 0, true);
  return bytes;
}

describe('graph bytes', { timeout: 60_000 }, () => {
  it('give the graph back, and are equal for equal graphs however they were built', () => {
    fc.assert(
      fc.property(arbitraryNet({ weights: ['ties', 'wide', 'huge'] }), (net) => {
        const { graph } = graphOf(net);
        const bytes = encodeGraph(graph);
        expect(encodeGraph(graphOf(net, true).graph)).toEqual(bytes);
        const decoded = decodeGraph(bytes);
        if (!decoded.ok) throw new Error(decoded.reason);
        expect(text(decoded.value)).toBe(text(graph));
        expect(encodeGraph(decoded.value)).toEqual(bytes);
      }),
    );
  });

  it('are refused when any byte differs, and when they are cut short or longer', () => {
    fc.assert(
      fc.property(arbitraryNet(), fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (net, at, by, cut) => {
        const bytes = encodeGraph(graphOf(net).graph);
        const changed = bytes.slice();
        changed[at % bytes.length] = (changed[at % bytes.length] ?? 0) ^ by;
        expect(decodeGraph(changed).ok).toBe(false);
        expect(decodeGraph(bytes.subarray(0, cut % bytes.length)).ok).toBe(false);
        expect(decodeGraph(Uint8Array.of(...bytes, 0, 0, 0, 0)).ok).toBe(false);
      }),
    );
  });

  it('never throw and never give a graph that breaks the rules, with a checksum that fits', () => {
    fc.assert(
      fc.property(
        arbitraryNet(),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff)), { maxLength: 3 }),
        (net, changes) => {
          const bytes = encodeGraph(graphOf(net).graph);
          const view = new DataView(bytes.buffer);
          for (const [at, value] of changes) view.setUint32(4 * (1 + (at % (bytes.length / 4 - 1))), value, true);
          const decoded = decodeGraph(sealed(bytes));
          if (decoded.ok) expect(encodeGraph(decoded.value)).toEqual(bytes);
          else expect(decoded.reason).toMatch(/^graph: /);
        },
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeGraph(bytes).ok).toBe(false);
      }),
    );
  });

  it('name what is wrong', () => {
    const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
    const reason = (bytes: Uint8Array) => {
      const decoded = decodeGraph(bytes);
      return decoded.ok ? '' : decoded.reason;
    };
    const magic = 0x31475754;
    const two = (...rest: number[]) => sealed(words(magic, 2, 1, 0, 5, 9, 3, ...rest));
    expect(reason(two(1, 0, 1, 7))).toBe('');
    expect(reason(words(1, 0, 0, 0))).toMatch(/TWG1/);
    expect(reason(words(magic, 2 ** 31, 0, 0))).toMatch(/nodes are more than/);
    expect(reason(words(magic, 2, 2 ** 31, 0))).toMatch(/words instead of/);
    expect(reason(two(1, 0, 1, 0))).toMatch(/arc 0: weight 0/);
    expect(reason(two(1, 0, 2, 7))).toMatch(/arc 0: slot 0 to 2/);
    expect(reason(two(1, 0, 0, 7))).toMatch(/arc 0: slot 0 to 0/);
    expect(reason(two(1, 1, 1, 7))).toMatch(/2 arcs together instead of 1/);
    expect(reason(sealed(words(magic, 2, 0, 0, 9, 9, 3, 0, 0)))).toMatch(/index 9 is out of order/);
  });
});
