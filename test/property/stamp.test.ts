/** Arbitrary bytes, from anybody, in any order: nothing throws, nothing grows, nothing is measured. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoopLag } from '../../overlay/stamp/loop-lag.ts';
import { ProbeRing } from '../../overlay/stamp/probe-ring.ts';
import { packSummaries, unpackSummaries } from '../../overlay/stamp/prober-message.ts';
import { SessionReflector } from '../../overlay/stamp/session-reflector.ts';
import { SessionSender } from '../../overlay/stamp/session-sender.ts';
import { StampClock } from '../../overlay/stamp/stamp-clock.ts';

const PEER = { peerIndex: 2, address: '100.112.0.2', port: 862 };
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

function rig() {
  let nowMs = 1000;
  const clock = new StampClock({ nowMs: () => nowMs + 1.7e12, monoMs: () => nowMs });
  const deps = { clock, lag: new LoopLag() };
  const sender = new SessionSender(deps, { settings: { intervalMs: 200, deadAfterMs: 1000 } });
  const reflector = new SessionReflector(deps, { port: 862, allowedRange: null });
  sender.setTargets([PEER]);
  return { sender, reflector, now: () => nowMs, pass: (ms: number) => (nowMs += ms) };
}

describe('STAMP with arbitrary input', () => {
  it('reflects at most what came in, or leaves it alone', () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 0, max: 65_535 }), fc.ipV4(), (packet, port, address) => {
        const { reflector } = rig();
        const before = Buffer.from(packet);
        const outcome = reflector.reflect(packet, address, port, 1000);
        expect(packet.length).toBe(before.length);
        if (outcome !== 'reflected') expect(packet.equals(before)).toBe(true);
        else {
          expect(before.length).toBeGreaterThanOrEqual(44);
          expect(packet.subarray(24, 38).equals(before.subarray(0, 14))).toBe(true);
          expect(packet.subarray(44).equals(before.subarray(44))).toBe(true);
        }
      }),
    );
  });

  it('measures nothing from packets nobody asked for, also when they look like a reply', () => {
    const forged = fc.record({
      sequence: fc.integer({ min: 0, max: 20 }),
      rest: fc.uint8Array({ minLength: 44, maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(bytes, forged), { maxLength: 40 }), (packets) => {
        const { sender, reflector, now, pass } = rig();
        for (let i = 0; i < 12; i++) {
          const due = sender.takeDueProbe(now());
          const reply = Buffer.from(due?.packet ?? []);
          reflector.reflect(reply, '100.112.0.1', 40_000, now());
          pass(5);
          expect(sender.receive(reply, PEER.address, PEER.port, now())).toBe('accepted');
          pass(195);
        }
        sender.takeDueProbe(now());
        pass(5);
        sender.takeUrgent();
        const before = sender.summaries(now());
        for (const packet of packets) {
          let datagram: Buffer;
          if (Buffer.isBuffer(packet)) datagram = packet;
          else {
            datagram = Buffer.from(packet.rest);
            datagram.writeUInt32BE(packet.sequence, 24);
          }
          expect(sender.receive(datagram, PEER.address, PEER.port, now())).toMatch(/malformed|unsolicited/);
          expect(sender.receive(datagram, '192.0.2.1', 9, now())).toBe('unknown_session');
        }
        expect(sender.summaries(now())).toEqual(before);
        expect(sender.takeUrgent()).toBe(false);
      }),
    );
  });

  it('splits loss by direction as an account of every packet does', () => {
    const fate = fc.constantFrom('ok', 'ok', 'ok', 'out', 'in');
    fc.assert(
      fc.property(
        fc.array(fate, { minLength: 20, maxLength: 48 }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (fates, firstSequence, firstReflected) => {
          const ring = new ProbeRing(firstSequence);
          let reflected = firstReflected;
          fates.forEach((what, i) => {
            const sequence = ring.record(i * 200, i * 200, i, i);
            if (what === 'ok') ring.answer(sequence, reflected);
            if (what !== 'out') reflected = (reflected + 1) >>> 0;
          });
          // Between the first and the last answer every packet's fate can be known.
          const known = fates.slice(fates.indexOf('ok'), fates.lastIndexOf('ok') + 1);
          const out = known.filter((f) => f === 'out').length;
          const back = known.filter((f) => f === 'in').length;
          const loss = ring.loss(1e9, 2000);
          if (known.length < 10) expect(loss).toEqual({ outPpm: null, inPpm: null });
          else {
            expect(loss.outPpm).toBe(Math.round((out / known.length) * 1e6));
            expect(loss.inPpm).toBe(Math.round((back / (known.length - out)) * 1e6));
          }
        },
      ),
    );
  });

  it('carries summaries across threads unchanged', () => {
    const figure = fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    const summary = fc.record({
      peerIndex: fc.integer({ min: 1, max: 2 ** 20 }),
      health: fc.constantFrom('unmeasured' as const, 'up' as const, 'down' as const),
      rttUs: figure,
      minRttUs: figure,
      jitterUs: figure,
      lossOutPpm: figure,
      lossInPpm: figure,
      samples: fc.nat(25),
      grey: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(summary), (list) => {
        expect(unpackSummaries(packSummaries(list))).toEqual(list);
      }),
    );
  });
});
