import { describe, expect, it } from 'vitest';
import { LoopLag } from '../../../../overlay/stamp/loop-lag.ts';
import { SessionReflector } from '../../../../overlay/stamp/session-reflector.ts';
import { StampClock } from '../../../../overlay/stamp/stamp-clock.ts';
import { errorEstimateUs } from '../../../../overlay/stamp/stamp-packet.ts';

const clock = new StampClock({ nowMs: () => 1.7e12, monoMs: () => 0 });

function make(allowedRange: string | null = null, lag = new LoopLag()) {
  return new SessionReflector({ clock, lag }, { port: 862, allowedRange });
}

function sequenceOf(reflector: SessionReflector, address: string, port: number, nowMs = 0): number {
  const packet = Buffer.alloc(44);
  expect(reflector.reflect(packet, address, port, nowMs)).toBe('reflected');
  return packet.readUInt32BE(0);
}

describe('session reflector', () => {
  it('counts each session for itself, from 0', () => {
    const reflector = make();
    expect([0, 1, 2].map(() => sequenceOf(reflector, '10.0.0.1', 5000))).toEqual([0, 1, 2]);
    expect(sequenceOf(reflector, '10.0.0.1', 5001)).toBe(0);
    expect(sequenceOf(reflector, '10.0.0.2', 5000)).toBe(0);
    expect(sequenceOf(reflector, '10.0.0.1', 5000)).toBe(3);
  });

  it('forgets the least recently used of more than 4096 sessions', () => {
    const reflector = make();
    sequenceOf(reflector, '10.0.0.1', 5000);
    for (let i = 0; i < 4096; i++) sequenceOf(reflector, `10.1.${i >> 8}.${i & 255}`, 5000);
    expect(sequenceOf(reflector, '10.0.0.1', 5000)).toBe(0);
  });

  it('answers a source at 200 a second and no faster, from whatever port', () => {
    const reflector = make();
    const burst = (nowMs: number) =>
      Array.from({ length: 1000 }, (_, i) => reflector.reflect(Buffer.alloc(44), '10.0.0.1', 1000 + i, nowMs)).filter(
        (outcome) => outcome === 'reflected',
      ).length;
    expect(burst(0)).toBe(200);
    expect(burst(100)).toBe(20);
    expect(burst(60_000)).toBe(200);
    expect(sequenceOf(reflector, '10.0.0.2', 5000, 60_000)).toBe(0);
  });

  it('answers neither its own port nor port 0 nor anybody outside the range, and leaves such packets alone', () => {
    const reflector = make('100.112.0.0/12');
    const packet = Buffer.alloc(44, 7);
    expect(reflector.reflect(packet, '100.112.0.1', 862, 0)).toBe('reflector_port');
    expect(reflector.reflect(packet, '100.112.0.1', 0, 0)).toBe('malformed');
    expect(reflector.reflect(packet, '100.96.0.1', 5000, 0)).toBe('foreign_source');
    expect(reflector.reflect(packet, '::1', 5000, 0)).toBe('foreign_source');
    expect(packet.equals(Buffer.alloc(44, 7))).toBe(true);
    expect(reflector.reflect(packet, '100.127.255.254', 5000, 0)).toBe('reflected');
  });

  it('states in the error estimate how late its own loop is', () => {
    const lag = new LoopLag();
    const reflector = make(null, lag);
    const statedMs = (nowMs: number) => {
      const packet = Buffer.alloc(44);
      reflector.reflect(packet, '10.0.0.1', 5000, nowMs);
      return errorEstimateUs(packet.readUInt16BE(12)) / 1000;
    };
    lag.armed(100);
    expect(statedMs(90)).toBeCloseTo(1, 1);
    expect(statedMs(600)).toBeGreaterThanOrEqual(500);
    expect(statedMs(600)).toBeLessThan(525);
    lag.fired(610);
    lag.armed(620);
    expect(statedMs(615)).toBeGreaterThanOrEqual(510);
    expect(statedMs(635)).toBeCloseTo(1, 1);
  });

  it('refuses a range that is none', () => {
    expect(() => make('100.112.0.0')).toThrow(/100\.112\.0\.0 is not an IPv4 prefix/);
    expect(() => make('fd00::/64')).toThrow(/not an IPv4 prefix/);
  });
});
