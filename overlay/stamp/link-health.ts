/**
 * Whether the forwarding path to one peer and back works, from probes alone.
 *
 *                 3 replies in a row                  deadAfterMs without a reply
 *   unmeasured -----------------------> up ----------------------------------------> down
 *                                        ^-------------- 3 replies in a row ----------'
 *
 * Time is attentive time (loop-lag.ts): while this thread was stuck nobody could have heard a reply, so that is no
 * silence. Silence starts with the first probe sent after the last reply: without probes there is nothing to miss.
 */

/** One reply may have been under way when a link died, two may be chance on a lossy one. */
export const REPLIES_TO_BE_UP = 3;

export type Health = 'unmeasured' | 'up' | 'down';

export class LinkHealth {
  #state: Health = 'unmeasured';
  #silentSinceMs: number | null = null;
  #repliesInRow = 0;
  #lastSequence = 0;

  get state(): Health {
    return this.#state;
  }

  probeSent(attentiveMs: number): void {
    this.#silentSinceMs ??= attentiveMs;
  }

  /** A reply to the probe `sequence`, the first one to it. Returns true when the state changed. */
  replied(sequence: number): boolean {
    this.#silentSinceMs = null;
    const consecutive = this.#repliesInRow > 0 && sequence === (this.#lastSequence + 1) >>> 0;
    this.#repliesInRow = consecutive ? this.#repliesInRow + 1 : 1;
    this.#lastSequence = sequence;
    if (this.#state === 'up' || this.#repliesInRow < REPLIES_TO_BE_UP) return false;
    this.#state = 'up';
    return true;
  }

  /** The guard (link-guard.ts) knows for sure. Returns true when the state changed. */
  giveUp(): boolean {
    if (this.#state !== 'up') return false;
    this.#state = 'down';
    this.#repliesInRow = 0;
    return true;
  }

  /** A reply was late, and the link was given up too soon. Returns true when the state changed. */
  revive(): boolean {
    if (this.#state !== 'down') return false;
    this.#state = 'up';
    return true;
  }

  /** Something else than a reply proved that packets pass: no silence until the next probe. */
  excuse(): void {
    this.#silentSinceMs = null;
  }

  /** Judges silence. Returns true when the state changed. */
  check(attentiveMs: number, deadAfterMs: number): boolean {
    if (this.#state !== 'up' || this.#silentSinceMs === null) return false;
    if (attentiveMs - this.#silentSinceMs < deadAfterMs) return false;
    this.#state = 'down';
    this.#repliesInRow = 0;
    return true;
  }
}
