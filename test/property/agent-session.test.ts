/** Whatever an agent sends: the session never throws, answers with at most one refusal, and closes once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../protocol/clock.ts';
import { decodeCoreFrame, encodeAgentFrame } from '../../protocol/frame-codec.ts';
import { CoreMetrics } from '../../steering/metrics.ts';
import { AgentSession } from '../../steering/session/agent-session.ts';
import type { OpenBody } from '../../steering/session/node-session.ts';

const clock: Clock = { nowMs: () => 1000, monoMs: () => 1000, after: () => ({ cancel: () => {} }) };
const metrics = new CoreMetrics();

/** A session over an in-memory stream; the owner accepts every hello. */
function makeSession() {
  const sent: Uint8Array[] = [];
  const frames: OpenBody[] = [];
  const closed: string[] = [];
  const stream = {
    bufferedBytes: 0,
    send: (bytes: Uint8Array) => void sent.push(bytes),
    close: () => {},
    terminate: () => {},
  };
  const owner = {
    hello: (session: AgentSession) => session.open(),
    frame: (_session: AgentSession, body: OpenBody) => void frames.push(body),
    clockSkew: () => {},
    closed: (_session: AgentSession, reason: string) => void closed.push(reason),
  };
  const options = { nodeId: 'n-x', index: 1, serial: '1', remoteAddress: null, heartbeatMs: 1000 };
  return { session: new AgentSession({ stream, owner, clock, metrics }, options), sent, frames, closed };
}

function refusals(sent: readonly Uint8Array[]): number {
  return sent.filter((bytes) => {
    const frame = decodeCoreFrame(bytes);
    return frame.ok && frame.value.body.case === 'refusal';
  }).length;
}

const hello = {
  case: 'hello' as const,
  value: { protocolMin: 1, protocolMax: 1, publicKey: new Uint8Array(32), listenPort: 1, stampPort: 862 },
};

describe('an agent session', () => {
  it('ends with exactly one refusal on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 5 }), (messages) => {
        const { session, sent, frames, closed } = makeSession();
        session.receive(encodeAgentFrame(1n, hello));
        for (const bytes of messages) session.receive(bytes);
        expect(refusals(sent)).toBe(closed.length);
        expect(closed.length).toBeLessThanOrEqual(1);
        if (frames.length === 0) expect(closed).toHaveLength(1);
      }),
    );
  });

  it('accepts sequence numbers that rise by one and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 8 }), (seqs) => {
        const { session, frames, closed } = makeSession();
        session.receive(encodeAgentFrame(1n, hello));
        for (const seq of seqs) session.receive(encodeAgentFrame(BigInt(seq), { case: 'linkReport', value: {} }));
        const broken = seqs.findIndex((seq, i) => seq !== i + 2);
        expect(frames).toHaveLength(broken < 0 ? seqs.length : broken);
        expect(closed).toEqual(broken < 0 ? [] : ['out_of_order']);
      }),
    );
  });
});
