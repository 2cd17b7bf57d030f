/** The link between two cores under any loss, and its decoders under any bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelayLink, WINDOW_BYTES } from '../../steering/cluster/relay-link.ts';
import {
  decodeHolderRecords,
  decodeSolverRecords,
  encodeHolderRecord,
  encodeSolverRecord,
} from '../../steering/cluster/relay-message.ts';
import {
  decodeRelayPacket,
  encodeRelayPacket,
  MAX_PACKET_PAYLOAD_BYTES,
  type RelayPacket,
} from '../../steering/cluster/relay-packet.ts';

const NAME = { term: 7, link: 2 };
const number = fc.maxSafeNat();
const packets: fc.Arbitrary<RelayPacket> = fc
  .record({
    kind: fc.constantFrom('data' as const, 'part' as const, 'beat' as const, 'reset' as const),
    term: number,
    link: number,
    seq: number,
    ack: number,
    payload: fc.uint8Array({ maxLength: 100 }),
  })
  .map((packet) =>
    packet.kind === 'data' || packet.kind === 'part' ? packet : { ...packet, payload: new Uint8Array() },
  );

describe('packets between cores', () => {
  it('have the layout that their file draws', () => {
    const packet = { kind: 'part', term: 1, link: 2, seq: 3, ack: 0x0102, payload: Uint8Array.of(0xaa) } as const;
    expect(Buffer.from(encodeRelayPacket(packet)).toString('hex')).toBe(
      '01010000' + '0000000000000001' + '0000000000000002' + '0000000000000003' + '0000000000000102' + 'aa',
    );
  });

  it('are what they were', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const decoded = decodeRelayPacket(encodeRelayPacket(packet));
        expect(decoded.ok && { ...decoded.value, payload: [...decoded.value.payload] }).toEqual({
          ...packet,
          payload: [...packet.payload],
        });
      }),
    );
  });

  it('of any bytes are read or refused, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const read of [decodeRelayPacket, decodeHolderRecords, decodeSolverRecords]) {
          const result = read(bytes);
          if (!result.ok) expect(result.reason.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('hold records one behind the other, which are one list', () => {
    const opened = { nodeId: 'n-a', index: 3, serial: '1f', remoteAddress: '', epoch: 5n, hello: Uint8Array.of(1) };
    const up = Buffer.concat([
      encodeHolderRecord(1, { case: 'opened', value: opened }),
      encodeHolderRecord(1, { case: 'clockSkewMs', value: -3n }),
      encodeHolderRecord(0, { case: 'allAnnounced', value: true }),
    ]);
    const records = decodeHolderRecords(up);
    expect(records.ok && records.value.map(({ session, body }) => [session, body.case])).toEqual([
      [1, 'opened'],
      [1, 'clockSkewMs'],
      [0, 'allAnnounced'],
    ]);
    const down = decodeSolverRecords(encodeSolverRecord(4, { case: 'frame', value: Uint8Array.of(2) }, 9n));
    expect(down).toMatchObject({ ok: true, value: [{ session: 4, epoch: 9n }] });
    for (const bad of [
      encodeHolderRecord(0, { case: 'closed', value: 'x' }),
      encodeHolderRecord(1, { case: 'opened', value: { ...opened, index: 0 } }),
      encodeHolderRecord(1, { case: 'opened', value: { ...opened, serial: 'f'.repeat(65) } }),
      encodeHolderRecord(1, { case: 'frame', value: new Uint8Array(256 * 1024 + 1) }),
    ]) {
      expect(decodeHolderRecords(bad).ok).toBe(false);
    }
    expect(decodeSolverRecords(encodeSolverRecord(0, { case: 'closed', value: 'x' })).ok).toBe(false);
  });
});

/** Two ends; `pass` decides on each packet, in the order of its sending. */
function ends(pass: (packet: RelayPacket, from: 'a' | 'b') => boolean) {
  const [a, b]: [RelayPacket[], RelayPacket[]] = [[], []];
  const into = (list: RelayPacket[]) => (bytes: Uint8Array) => {
    const packet = decodeRelayPacket(bytes);
    if (!packet.ok) throw new Error(packet.reason);
    list.push(packet.value);
  };
  const [left, right] = [new RelayLink(into(b), NAME), new RelayLink(into(a), NAME)];
  const got: Uint8Array[] = [];
  const run = () => {
    while (a.length + b.length > 0) {
      for (const packet of b.splice(0)) {
        if (!pass(packet, 'a')) continue;
        const received = right.receive(packet);
        if (!received.broken && received.message !== null) got.push(received.message);
      }
      for (const packet of a.splice(0)) if (pass(packet, 'b')) left.receive(packet);
    }
  };
  return { left, right, got, run, onTheWay: b };
}

describe('a link between cores', () => {
  it('delivers all in order, or a part from the beginning on and is broken at the next beat', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3 * MAX_PACKET_PAYLOAD_BYTES }), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
        (sizes, chance) => {
          let lost = 0;
          const { left, right, got, run } = ends((packet, from) => {
            const isLost = from === 'a' && packet.kind !== 'beat' && chance.next().value === 0;
            lost += isLost ? 1 : 0;
            return !isLost;
          });
          const said = sizes.map((size, i) => new Uint8Array(size).fill(i + 1));
          for (const record of said) {
            left.put(record);
            left.flush();
            run();
          }
          left.beat();
          run();
          const whole = Buffer.concat(said);
          const arrived = Buffer.concat(got);
          expect(arrived.equals(whole.subarray(0, arrived.length))).toBe(true);
          expect(right.isBroken).toBe(lost > 0);
          if (lost === 0) expect(arrived.length).toBe(whole.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('has no more on its way than a window, and goes on with each acknowledgement', () => {
    const { left, got, run, onTheWay } = ends(() => true);
    const chunk = new Uint8Array(1024 * 1024).fill(3);
    for (let i = 0; i < 40; i++) {
      left.put(chunk);
      left.flush();
    }
    const bytes = onTheWay.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes).toBeLessThanOrEqual(WINDOW_BYTES + MAX_PACKET_PAYLOAD_BYTES);
    run();
    expect(got.reduce((sum, { length }) => sum + length, 0)).toBe(40 * chunk.length);
    expect(left.isBroken).toBe(false);
  });

  it('is given up when what waits for the other end is too much', () => {
    const { left } = ends(() => true);
    const chunk = new Uint8Array(8 * 1024 * 1024);
    for (let i = 0; i < 16; i++) {
      left.put(chunk);
      left.flush();
    }
    expect(left.isBroken).toBe(false);
    left.put(chunk);
    left.put(chunk);
    left.flush();
    expect(left.isBroken).toBe(true);
  });
});
