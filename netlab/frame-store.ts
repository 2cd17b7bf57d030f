/**
 * Frames on their way, in memory that two threads share: the receiver fills slots and hands them over, the sender
 * waits until the first is due, sends it and gives the slot back. Two single-producer single-consumer rings of slot
 * numbers, and one word to sleep on.
 *
 *   receiver --- incoming ring --->  sender        (slot holds due time, port, length, frame)
 *            <--- freed ring -------
 */

/** A full Ethernet frame with a VLAN tag is 1,518 bytes; a power of two keeps slots on cache lines. */
export const SLOT_BYTES = 2048;
/** 16,384 frames under way: 80,000 frames/s over 200 ms. Pages are only used once a slot is. */
export const SLOT_COUNT = 16_384;

const WORDS = {
  signal: 0,
  sleepUntil: 1,
  incomingHead: 2,
  incomingTail: 3,
  freedHead: 4,
  freedTail: 5,
  stop: 6,
  sent: 7,
};
const RING = SLOT_COUNT * 2;

export interface FrameStoreMemory {
  readonly words: SharedArrayBuffer;
  readonly incoming: SharedArrayBuffer;
  readonly freed: SharedArrayBuffer;
  readonly dueUs: SharedArrayBuffer;
  readonly portAndLength: SharedArrayBuffer;
  readonly frames: SharedArrayBuffer;
  /** 1 where a host can take frames: indexed by host number. */
  readonly portUp: SharedArrayBuffer;
}

export function allocateFrameStore(hostCount: number): FrameStoreMemory {
  return {
    words: new SharedArrayBuffer(4 * 8),
    incoming: new SharedArrayBuffer(4 * RING),
    freed: new SharedArrayBuffer(4 * RING),
    dueUs: new SharedArrayBuffer(8 * SLOT_COUNT),
    portAndLength: new SharedArrayBuffer(8 * SLOT_COUNT),
    frames: new SharedArrayBuffer(SLOT_BYTES * SLOT_COUNT),
    portUp: new SharedArrayBuffer(4 * (hostCount + 1)),
  };
}

class FrameStoreView {
  protected readonly words: Int32Array;
  protected readonly incoming: Int32Array;
  protected readonly freed: Int32Array;
  protected readonly dueUs: Float64Array;
  protected readonly portAndLength: Int32Array;
  protected readonly frames: Buffer;
  protected readonly portUp: Int32Array;

  constructor(memory: FrameStoreMemory) {
    this.words = new Int32Array(memory.words);
    this.incoming = new Int32Array(memory.incoming);
    this.freed = new Int32Array(memory.freed);
    this.dueUs = new Float64Array(memory.dueUs);
    this.portAndLength = new Int32Array(memory.portAndLength);
    this.frames = Buffer.from(memory.frames);
    this.portUp = new Int32Array(memory.portUp);
  }

  /** The ring has more places than there are slots, so it is never full. */
  protected put(ring: Int32Array, headWord: number, slot: number): void {
    const head = this.words[headWord] as number;
    ring[head] = slot;
    Atomics.store(this.words, headWord, (head + 1) % RING);
  }

  /** -1 when empty. */
  protected take(ring: Int32Array, headWord: number, tailWord: number): number {
    const tail = this.words[tailWord] as number;
    if (Atomics.load(this.words, headWord) === tail) return -1;
    const slot = ring[tail] as number;
    Atomics.store(this.words, tailWord, (tail + 1) % RING);
    return slot;
  }
}

/** The thread that receives frames. */
export class FrameStoreReceiver extends FrameStoreView {
  /** Last in, first out: as few pages as possible are in use. */
  readonly #free = Int32Array.from({ length: SLOT_COUNT }, (_, i) => SLOT_COUNT - 1 - i);
  #freeCount = SLOT_COUNT;

  /** Copies the frame; false when every slot is under way or the frame does not fit one. Times in microseconds. */
  hand(frame: Uint8Array, port: number, dueUs: number): boolean {
    for (let slot = this.#takeFreed(); slot >= 0; slot = this.#takeFreed()) this.#free[this.#freeCount++] = slot;
    if (this.#freeCount === 0 || frame.length > SLOT_BYTES) return false;
    const slot = this.#free[--this.#freeCount] as number;
    this.frames.set(frame, slot * SLOT_BYTES);
    this.dueUs[slot] = dueUs;
    this.portAndLength[2 * slot] = port;
    this.portAndLength[2 * slot + 1] = frame.length;
    this.put(this.incoming, WORDS.incomingHead, slot);
    Atomics.add(this.words, WORDS.signal, 1);
    // The sender wakes by itself at `sleepUntil` and then reads the ring; only an earlier frame is worth a wake-up.
    if (wrap(dueUs - Atomics.load(this.words, WORDS.sleepUntil)) < 0) this.#wake();
    return true;
  }

  setPortUp(port: number, up: boolean): void {
    Atomics.store(this.portUp, port, up ? 1 : 0);
  }

  isPortUp(port: number): boolean {
    return Atomics.load(this.portUp, port) === 1;
  }

  get sentCount(): number {
    return Atomics.load(this.words, WORDS.sent) >>> 0;
  }

  get heldCount(): number {
    return SLOT_COUNT - this.#freeCount;
  }

  stop(): void {
    Atomics.store(this.words, WORDS.stop, 1);
    Atomics.add(this.words, WORDS.signal, 1);
    this.#wake();
  }

  #wake(): void {
    Atomics.notify(this.words, WORDS.signal);
  }

  #takeFreed(): number {
    return this.take(this.freed, WORDS.freedHead, WORDS.freedTail);
  }
}

/** The thread that sends them. */
export class FrameStoreSender extends FrameStoreView {
  get stopped(): boolean {
    return Atomics.load(this.words, WORDS.stop) === 1;
  }

  /** Read before `takeIncoming`, passed to `sleep`: what arrives in between makes the sleep end at once. */
  get signal(): number {
    return Atomics.load(this.words, WORDS.signal);
  }

  takeIncoming(): number {
    return this.take(this.incoming, WORDS.incomingHead, WORDS.incomingTail);
  }

  dueUsOf(slot: number): number {
    return this.dueUs[slot] as number;
  }

  /** The port and its frame (a view into the slot), or undefined when the port is down. */
  read(slot: number): { readonly port: number; readonly frame: Buffer } | undefined {
    const port = this.portAndLength[2 * slot] as number;
    if (Atomics.load(this.portUp, port) !== 1) return undefined;
    const start = slot * SLOT_BYTES;
    return { port, frame: this.frames.subarray(start, start + (this.portAndLength[2 * slot + 1] as number)) };
  }

  giveBack(slot: number, sent: boolean): void {
    if (sent) Atomics.add(this.words, WORDS.sent, 1);
    this.put(this.freed, WORDS.freedHead, slot);
  }

  /** Sleeps until `untilUs`, or until a frame that is due earlier has come. */
  sleep(signal: number, nowUs: number, untilUs: number): void {
    Atomics.store(this.words, WORDS.sleepUntil, wrap(untilUs));
    Atomics.wait(this.words, WORDS.signal, signal, Math.max(0, untilUs - nowUs) / 1000);
  }
}

/** Microseconds modulo 2^32 as a signed word: differences of less than 35 minutes keep their sign. */
function wrap(us: number): number {
  return Math.floor(us) | 0;
}
