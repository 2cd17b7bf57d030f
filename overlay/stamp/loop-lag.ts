/**
 * How late the prober's own event loop is, measured on its one timer. A stamp taken in user space is only as good as
 * the moment it was taken: a reply that waited in the socket buffer while the thread was stuck looks like a slow link.
 *
 *      due            detected (tick runs)
 *   ----|====== stall =====|~~ draining ~~|----------> monotonic time
 *       '- time that is no silence -'     replies read here may be old
 */

/** Lateness below this is a timer's and a scheduler's ordinary grain; the RTT filter takes such errors out. */
export const LAG_TOLERANCE_MS = 20;
/** After a stall the socket buffers hold what arrived meanwhile; libuv reads 32 datagrams per turn of the loop. */
export const DRAIN_MS = 20;

export class LoopLag {
  #dueMs = Number.POSITIVE_INFINITY;
  #excusedMs = 0;
  #stallEndMs = Number.NEGATIVE_INFINITY;
  #stallMs = 0;
  #maxMs = 0;

  /** The timer was armed for `dueMs`. */
  armed(dueMs: number): void {
    this.#dueMs = dueMs;
  }

  /** The timer fired. Returns its lateness in milliseconds when that is a stall, else 0. */
  fired(nowMs: number): number {
    const lagMs = Math.max(0, nowMs - this.#dueMs);
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#maxMs = Math.max(this.#maxMs, lagMs);
    if (lagMs <= LAG_TOLERANCE_MS) return 0;
    this.#excusedMs += lagMs;
    this.#stallEndMs = nowMs;
    this.#stallMs = lagMs;
    return lagMs;
  }

  /** Monotonic time less all stalls: the clock on which silence and reply deadlines are judged. Never runs backwards. */
  attentiveMs(nowMs: number): number {
    const overdueMs = nowMs - this.#dueMs;
    return nowMs - this.#excusedMs - (overdueMs > LAG_TOLERANCE_MS ? overdueMs : 0);
  }

  /** True when a reply read at `receivedAtMs` to a probe sent at `sentAtMs` may have waited for this thread. */
  isSuspect(sentAtMs: number, receivedAtMs: number): boolean {
    if (receivedAtMs - this.#dueMs > LAG_TOLERANCE_MS) return true;
    return sentAtMs < this.#stallEndMs && receivedAtMs < this.#stallEndMs + DRAIN_MS;
  }

  /** How late a stamp taken at `nowMs` may be, in milliseconds: 0 when the loop is on time. */
  latenessMs(nowMs: number): number {
    const overdueMs = nowMs - this.#dueMs;
    if (overdueMs > LAG_TOLERANCE_MS) return overdueMs;
    return nowMs < this.#stallEndMs + DRAIN_MS ? this.#stallMs : 0;
  }

  /** Largest lateness since the last call, stalls or not. */
  takeMaxMs(): number {
    const maxMs = this.#maxMs;
    this.#maxMs = 0;
    return maxMs;
  }
}
