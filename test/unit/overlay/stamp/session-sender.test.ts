/** What replies, good and bad, do to a sender: accepted once, and everything else counted and without effect. */
import { describe, expect, it } from 'vitest';
import { LoopLag } from '../../../../overlay/stamp/loop-lag.ts';
import { SessionReflector } from '../../../../overlay/stamp/session-reflector.ts';
import { SessionSender } from '../../../../overlay/stamp/session-sender.ts';
import { StampClock } from '../../../../overlay/stamp/stamp-clock.ts';

const PEER = { peerIndex: 2, address: '100.112.0.2', port: 862 };

function rig(firstSequence = 0, intervalMs = 200) {
  let nowMs = 1000;
  const clock = new StampClock({ nowMs: () => nowMs + 1.7e12, monoMs: () => nowMs });
  const deps = { clock, lag: new LoopLag() };
  const sender = new SessionSender(deps, { settings: { intervalMs, deadAfterMs: 5 * intervalMs }, firstSequence });
  const reflector = new SessionReflector(deps, { port: 862, allowedRange: null });
  sender.setTargets([PEER]);
  const pass = (ms: number) => {
    nowMs += ms;
  };
  /** Sends what is due, and returns its reflection as it would come back. */
  const probe = (): Buffer => {
    const due = sender.takeDueProbe(nowMs);
    if (due === undefined) throw new Error('nothing due');
    const packet = Buffer.from(due.packet);
    expect(reflector.reflect(packet, '100.112.0.1', 40_000, nowMs)).toBe('reflected');
    return packet;
  };
  const receive = (packet: Buffer) => sender.receive(packet, PEER.address, PEER.port, nowMs);
  const summary = () => sender.summaries(nowMs)[0];
  const due = () => sender.takeDueProbe(nowMs) !== undefined;
  return { due, sender, pass, probe, receive, summary };
}

describe('session sender', () => {
  it('asks a new link again 100 ms after each reply until it is up, however slow the pace', () => {
    const { due, pass, probe, receive, summary } = rig(0, 5000);
    for (const health of ['unmeasured', 'unmeasured', 'up']) {
      const reply = probe();
      pass(30);
      expect(receive(reply)).toBe('accepted');
      expect(summary()?.health).toBe(health);
      pass(99);
      expect(due()).toBe(false);
      pass(1);
    }
    expect(due()).toBe(false);
    pass(5000);
    expect(due()).toBe(true);
  });

  it('takes a reply once; the second is a duplicate and changes nothing', () => {
    const { pass, probe, receive, summary } = rig();
    const replies: Buffer[] = [];
    for (let i = 0; i < 12; i++) {
      const reply = probe();
      replies.push(reply);
      pass(5);
      expect(receive(reply)).toBe('accepted');
      pass(195);
    }
    const before = summary();
    // The first probe was sent before anything had come back: its time is not the path's.
    expect(before).toMatchObject({ health: 'up', rttUs: 5000, samples: 11, lossOutPpm: 0 });
    for (const reply of replies) expect(receive(reply)).toBe('duplicate');
    expect(summary()).toEqual(before);
  });

  it('knows a reply to a probe never sent, by number and by time stamp', () => {
    const { pass, probe, receive, summary } = rig();
    const reply = probe();
    pass(5);
    const wrongNumber = Buffer.from(reply);
    wrongNumber.writeUInt32BE(1, 24);
    const wrongStamp = Buffer.from(reply);
    wrongStamp.writeUInt8(wrongStamp.readUInt8(35) ^ 1, 35);
    const before = summary();
    expect(receive(wrongNumber)).toBe('unsolicited');
    expect(receive(wrongStamp)).toBe('unsolicited');
    expect(summary()).toEqual(before);
    expect(receive(reply)).toBe('accepted');
  });

  it('counts a reply after 2 s as late, once, then as duplicate', () => {
    const { pass, probe, receive, summary } = rig();
    const reply = probe();
    pass(2001);
    expect(receive(reply)).toBe('late');
    expect(receive(reply)).toBe('duplicate');
    expect(summary()).toMatchObject({ health: 'unmeasured', samples: 0, rttUs: null });
  });

  it('knows strangers, short packets and impossible time stamps', () => {
    const { sender, pass, probe, receive, summary } = rig();
    const reply = probe();
    pass(5);
    expect(sender.receive(reply, '100.112.0.3', 862, 1005)).toBe('unknown_session');
    expect(sender.receive(reply, PEER.address, 863, 1005)).toBe('unknown_session');
    expect(receive(reply.subarray(0, 43))).toBe('malformed');
    const heldTooLong = Buffer.from(reply);
    heldTooLong.writeUInt32BE(reply.readUInt32BE(16) + 1, 4);
    expect(receive(heldTooLong)).toBe('malformed');
    const backwards = Buffer.from(reply);
    backwards.writeUInt32BE(reply.readUInt32BE(16) - 1, 4);
    expect(receive(backwards)).toBe('malformed');
    expect(summary()).toMatchObject({ health: 'unmeasured', samples: 0 });
    expect(receive(reply)).toBe('accepted');
  });

  it('takes the time that the reflector held the packet out of the RTT', () => {
    const { pass, probe, receive, summary } = rig();
    for (let i = 0; i < 4; i++) {
      const reply = probe();
      // Held for 30 ms: T3 = T2 + 30 ms.
      const fraction = reply.readUInt32BE(20) + Math.round(0.03 * 2 ** 32);
      reply.writeUInt32BE(reply.readUInt32BE(16) + (fraction >= 2 ** 32 ? 1 : 0), 4);
      reply.writeUInt32BE(fraction >>> 0, 8);
      pass(35);
      receive(reply);
      pass(165);
    }
    expect(summary()?.rttUs).toBe(5000);
  });

  it('crosses the wrap of the sequence number', () => {
    const { pass, probe, receive, summary } = rig(2 ** 32 - 6);
    for (let i = 0; i < 20; i++) {
      const reply = probe();
      expect(reply.readUInt32BE(24)).toBe((2 ** 32 - 6 + i) % 2 ** 32);
      pass(5);
      if (i % 4 !== 3) expect(receive(reply)).toBe('accepted');
      pass(195);
    }
    pass(2500);
    // The reflector saw all of them: what is missing was lost on the way back.
    expect(summary()).toMatchObject({ health: 'up', lossOutPpm: 0 });
    expect(summary()?.lossInPpm).toBeGreaterThan(150_000);
  });

  it('does not call probes under way lost', () => {
    const { pass, probe, receive, summary } = rig();
    const underWay: Buffer[] = [];
    for (let i = 0; i < 30; i++) {
      underWay.push(probe());
      pass(200);
      const arrived = underWay.length > 6 ? underWay.shift() : undefined;
      if (arrived !== undefined) receive(arrived);
    }
    expect(summary()).toMatchObject({ health: 'up', lossOutPpm: 0, lossInPpm: 0, rttUs: 1_400_000 });
  });

  it('forgets a reply of a session that was begun anew', () => {
    const { sender, pass, probe, receive } = rig();
    const reply = probe();
    pass(5);
    sender.setTargets([]);
    expect(receive(reply)).toBe('unknown_session');
    sender.setTargets([PEER]);
    expect(receive(reply)).toBe('unsolicited');
  });

  it('drops the sample, not the reply, when the reflector says that its stamps are late', () => {
    const { pass, probe, receive, summary } = rig();
    for (let i = 0; i < 4; i++) {
      const reply = probe();
      pass(5);
      receive(reply);
      pass(195);
    }
    const reply = probe();
    // 0.5 s: 128 * 2^(24 - 32).
    reply.writeUInt16BE((24 << 8) | 128, 12);
    pass(150);
    expect(receive(reply)).toBe('late_event_loop');
    expect(summary()).toMatchObject({ samples: 3, rttUs: 5000, health: 'up' });
  });
});
