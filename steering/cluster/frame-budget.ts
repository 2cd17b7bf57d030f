/**
 * How much one agent may have carried to the solver. An agent that measures a thousand links and reports them five times a
 * second says 150 KB and a handful of frames in a second; what says many times more takes NATS and the solver from others.
 */
const FRAMES_PER_S = 50;
const MOST_FRAMES = 500;
const BYTES_PER_S = 512 * 1024;
const MOST_BYTES = 4 * 1024 * 1024;

export class FrameBudget {
  #frames = MOST_FRAMES;
  #bytes = MOST_BYTES;
  #atMonoMs: number;

  constructor(monoMs: number) {
    this.#atMonoMs = monoMs;
  }

  /** Takes a frame out. False: there is no room for it now. */
  take(bytes: number, monoMs: number): boolean {
    const seconds = Math.max(0, monoMs - this.#atMonoMs) / 1000;
    this.#atMonoMs = monoMs;
    this.#frames = Math.min(MOST_FRAMES, this.#frames + seconds * FRAMES_PER_S);
    this.#bytes = Math.min(MOST_BYTES, this.#bytes + seconds * BYTES_PER_S);
    if (this.#frames < 1 || this.#bytes < bytes) return false;
    this.#frames--;
    this.#bytes -= bytes;
    return true;
  }
}
