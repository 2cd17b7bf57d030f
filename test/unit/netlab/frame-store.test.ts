import { describe, expect, test } from 'vitest';
import { allocateFrameStore, FrameStoreReceiver, FrameStoreSender, SLOT_COUNT } from '../../../netlab/frame-store.ts';

function storeOf(hostCount: number) {
  const memory = allocateFrameStore(hostCount);
  const receiver = new FrameStoreReceiver(memory);
  for (let port = 1; port <= hostCount; port++) receiver.setPortUp(port, true);
  return { receiver, sender: new FrameStoreSender(memory) };
}

describe('FrameStore', () => {
  test('hands a copy of the frame, its port and its due time from thread to thread', () => {
    const { receiver, sender } = storeOf(2);
    const frame = Uint8Array.of(1, 2, 3);
    expect(receiver.hand(frame, 2, 1234.5)).toBe(true);
    frame.fill(9);
    const slot = sender.takeIncoming();
    expect(sender.dueUsOf(slot)).toBe(1234.5);
    expect(sender.read(slot)).toEqual({ port: 2, frame: Buffer.of(1, 2, 3) });
    sender.giveBack(slot, true);
    expect([sender.takeIncoming(), receiver.sentCount]).toEqual([-1, 1]);
  });

  test('refuses when all slots are under way, and has them again when they were given back', () => {
    const { receiver, sender } = storeOf(1);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < SLOT_COUNT; i++) expect(receiver.hand(Uint8Array.of(i), 1, 0)).toBe(true);
      expect(receiver.hand(Uint8Array.of(0), 1, 0)).toBe(false);
      for (let slot = sender.takeIncoming(); slot >= 0; slot = sender.takeIncoming()) sender.giveBack(slot, true);
    }
  });

  test('refuses a frame that no slot can hold', () => {
    expect(storeOf(1).receiver.hand(new Uint8Array(4000), 1, 0)).toBe(false);
  });

  test('a frame for a port that went down meanwhile is not read', () => {
    const { receiver, sender } = storeOf(1);
    receiver.hand(Uint8Array.of(1), 1, 0);
    receiver.setPortUp(1, false);
    expect(sender.read(sender.takeIncoming())).toBeUndefined();
  });

  test('a frame that comes between looking and sleeping ends the sleep at once', () => {
    const { receiver, sender } = storeOf(1);
    const signal = sender.signal;
    expect(sender.takeIncoming()).toBe(-1);
    receiver.hand(Uint8Array.of(1), 1, 5);
    const startedMs = performance.now();
    sender.sleep(signal, 0, 60e6);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });
});
