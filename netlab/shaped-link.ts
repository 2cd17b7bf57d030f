/** One direction of one link of the wire: when does a frame that enters now come out, if at all? Pure. */
import { type LinkShape, PERFECT_LINK } from './link-shape.ts';
import type { Random } from './seeded-random.ts';

/** A queue in front of a slow link holds this much time of traffic: a common depth for access routers. */
export const QUEUE_US = 50_000;
/** But never less than this many bytes, so that a slow link still takes a short burst of full frames. */
export const MIN_QUEUE_BYTES = 10 * 1514;

export type DropReason = 'cut' | 'lost' | 'queueFull';

export class ShapedLink {
  #shape: LinkShape = PERFECT_LINK;
  /** When the transmitter has sent all that it accepted. */
  #transmitterFreeUs = 0;
  #lastDueUs = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  get shape(): LinkShape {
    return this.#shape;
  }

  /** From the next frame on. Frames under way keep their delay, so after a cut of the delay new ones may overtake. */
  setShape(shape: LinkShape): void {
    this.#shape = shape;
    this.#lastDueUs = 0;
    this.#transmitterFreeUs = 0;
  }

  /**
   * Takes a frame of `bytes` at `nowUs`. Returns when it is due at the other end, in microseconds of the same clock,
   * or why it never arrives. Order: cut, loss, queue and transmission at the link's rate, delay, jitter.
   */
  enter(bytes: number, nowUs: number): number | DropReason {
    const { cut, lossPpm, rateBps, oneWayDelayUs, jitterUs } = this.#shape;
    if (cut) return 'cut';
    if (lossPpm > 0 && this.#random() * 1_000_000 < lossPpm) return 'lost';
    let sentUs = nowUs;
    if (rateBps !== null) {
      const startUs = Math.max(nowUs, this.#transmitterFreeUs);
      const queueUs = Math.max(QUEUE_US, (MIN_QUEUE_BYTES * 8e6) / rateBps);
      if (startUs - nowUs > queueUs) return 'queueFull';
      sentUs = startUs + (bytes * 8e6) / rateBps;
      this.#transmitterFreeUs = sentUs;
    }
    const jitter = jitterUs > 0 ? this.#random() * jitterUs : 0;
    this.#lastDueUs = Math.max(this.#lastDueUs, sentUs + oneWayDelayUs + jitter);
    return this.#lastDueUs;
  }
}
