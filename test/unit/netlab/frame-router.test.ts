import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { destinationOf, EVERYBODY } from '../../../netlab/frame-route.ts';
import { FrameRouter } from '../../../netlab/frame-router.ts';
import { macAddressOf } from '../../../netlab/host-plan.ts';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';

const bytesOf = (mac: string) => mac.split(':').map((byte) => Number.parseInt(byte, 16));

function frame(destination: string, source: string): Uint8Array {
  return Uint8Array.from([...bytesOf(destination), ...bytesOf(source), 0x08, 0x00, ...new Array(46).fill(0)]);
}

function routerOf(hostCount: number) {
  const delivered: { to: number; dueUs: number }[] = [];
  const router = new FrameRouter(
    {
      deliver: (to, _frame, dueUs) => {
        delivered.push({ to, dueUs });
        return 'ok';
      },
    },
    { hostCount, seed: 1 },
  );
  return { router, delivered };
}

describe('destinationOf', () => {
  test('a host number is in the last two bytes of its address', () => {
    for (const number of [1, 2, 255, 256, 300]) {
      expect(destinationOf(frame(macAddressOf(number), macAddressOf(1)), 300)).toBe(number);
    }
  });

  test.each([
    ['broadcast', 'ff:ff:ff:ff:ff:ff', EVERYBODY],
    ['multicast', '33:33:00:00:00:01', EVERYBODY],
    ['a number beyond the hosts', macAddressOf(4), -1],
    ['number 0', macAddressOf(0), -1],
    ['a foreign address', '52:54:00:12:34:56', -1],
  ])('%s', (_name, destination, expected) => {
    expect(destinationOf(frame(destination, macAddressOf(1)), 3)).toBe(expected);
  });

  test('arbitrary bytes give a host, everybody or nobody, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const to = destinationOf(bytes, 3);
        expect([-1, EVERYBODY, 1, 2, 3]).toContain(to);
        if (bytes.length < 14) expect(to).toBe(-1);
      }),
    );
  });
});

describe('FrameRouter', () => {
  test('one direction of a link has its own shape', () => {
    const { router, delivered } = routerOf(3);
    router.setLink(1, 2, { ...PERFECT_LINK, oneWayDelayUs: 2500 });
    router.setLink(2, 1, { ...PERFECT_LINK, oneWayDelayUs: 700 });
    router.accept(1, frame(macAddressOf(2), macAddressOf(1)), 100);
    router.accept(2, frame(macAddressOf(1), macAddressOf(2)), 100);
    expect(delivered).toEqual([
      { to: 2, dueUs: 2600 },
      { to: 1, dueUs: 800 },
    ]);
  });

  test('a broadcast goes to everybody else, each after its own delay', () => {
    const { router, delivered } = routerOf(3);
    router.setLink(2, 3, { ...PERFECT_LINK, oneWayDelayUs: 10 });
    router.setLink(2, 1, { ...PERFECT_LINK, cut: true });
    router.accept(2, frame('ff:ff:ff:ff:ff:ff', macAddressOf(2)), 0);
    expect(delivered).toEqual([{ to: 3, dueUs: 10 }]);
    expect(router.dropped.cut).toBe(1);
  });

  test('counts what it cannot deliver', () => {
    const { router, delivered } = routerOf(2);
    router.accept(1, frame(macAddressOf(9), macAddressOf(1)), 0);
    router.accept(1, frame(macAddressOf(1), macAddressOf(1)), 0);
    router.accept(1, new Uint8Array(3), 0);
    expect([delivered.length, router.received, router.dropped.unknownDestination]).toEqual([0, 3, 3]);
  });

  test('refuses links that are not there', () => {
    const { router } = routerOf(2);
    for (const [from, to] of [
      [1, 1],
      [0, 1],
      [1, 3],
      [1.5, 2],
    ] as const) {
      expect(() => router.setLink(from, to, PERFECT_LINK)).toThrow(RangeError);
    }
  });
});
