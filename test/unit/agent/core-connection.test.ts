/** Which core an agent tries after a session that ended. */
import { expect, it } from 'vitest';
import { CoreConnection } from '../../../agent/core-connection.ts';
import type { CoreStreamListener } from '../../../agent/core-stream.ts';
import { encodeCoreFrame } from '../../../protocol/frame-codec.ts';
import { silentLogger } from '../../../protocol/log.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

/** The addresses that are tried when the first session was welcomed, if at all, and then refused with `code`. */
async function triedAfter(code: string, isWelcomed: boolean): Promise<string[]> {
  const clock = new TurnedClock();
  const tried: string[] = [];
  const listeners: CoreStreamListener[] = [];
  const nothing = () => {};
  const connection = new CoreConnection(
    {
      clock,
      log: silentLogger,
      open: async (address) => {
        tried.push(address);
        return {
          listen: (listener) => void listeners.push(listener),
          send: nothing,
          bufferedBytes: 0,
          close: async () => {},
        };
      },
      random: () => 0.5,
      credentials: async () => ({ caPem: '', certificatePem: '', keyPem: '' }),
      hello: async () => ({}),
      listener: {
        onWelcome: nothing,
        onPeerUpdate: nothing,
        onRouteDelta: nothing,
        onPolicyUpdate: nothing,
        onProbePlan: nothing,
        onCoreClock: nothing,
        onCertificate: nothing,
        onTrust: nothing,
        onKeyTurn: nothing,
      },
      onState: nothing,
      onReconnect: nothing,
    },
    { addresses: ['a', 'b'] },
  );
  const settle = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const over = connection.start();
  await settle();
  let seq = 0n;
  const say = (frame: Parameters<typeof encodeCoreFrame>[1]) => listeners[0]?.onFrame(encodeCoreFrame(++seq, frame));
  if (isWelcomed) say({ case: 'welcome', value: { protocol: 1, index: 1, heartbeatMs: 50_000 } });
  clock.turn(20);
  say({ case: 'refusal', value: { code, message: '', retryAfterMs: 50 } });
  await settle();
  clock.turn(2000);
  await settle();
  const stopped = connection.stop();
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.turn(1000);
  }
  await stopped;
  await over;
  return tried;
}

it.each([
  ['overloaded', true, ['a', 'a']],
  ['overloaded', false, ['a', 'b']],
  ['standing_by', false, ['a', 'b']],
  // a core that held the session and reaches nobody any more
  ['standing_by', true, ['a', 'b']],
] as const)('after %s, with a welcome before it: %s, it tries %j', async (code, isWelcomed, tried) => {
  expect(await triedAfter(code, isWelcomed)).toEqual(tried);
});
