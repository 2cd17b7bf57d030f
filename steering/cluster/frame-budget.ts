/**
 * How much one agent may have carried to the solver. An agent that measures a thousand links and reports them five times a
 * second says 150 KB and a handful of frames in a second; what says many times more takes NATS and the solver from others.
 */
import { TokenBucket } from '../../protocol/token-bucket.ts';

const FRAMES = { perS: 50, most: 500 };
const BYTES = { perS: 512 * 1024, most: 4 * 1024 * 1024 };

export class FrameBudget {
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;

  constructor(monoMs: number) {
    this.#frames = new TokenBucket(FRAMES, monoMs);
    this.#bytes = new TokenBucket(BYTES, monoMs);
  }

  /** Takes a frame out. False: there is no room for it now. */
  take(bytes: number, monoMs: number): boolean {
    if (!this.#frames.holds(1, monoMs) || !this.#bytes.holds(bytes, monoMs)) return false;
    this.#frames.take(1, monoMs);
    this.#bytes.take(bytes, monoMs);
    return true;
  }
}
