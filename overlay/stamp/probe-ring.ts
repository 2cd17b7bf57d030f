/**
 * The last 512 probes of one session: what is needed to match replies and to tell loss by direction, in bounded memory.
 *
 * Loss per direction: between two probes a < b that were both answered, the reflector's own sequence number has grown
 * by one for each packet it reflected (RFC 8762 section 4.3, stateful mode). Of the probes between them without an
 * answer, those it counted were lost on the way back, the others on the way out.
 *
 *     sender sequence     10    11    12    13    14          missing: 11, 12, 13
 *     reflector sequence   7     -     -     -     9          it reflected one of them (8): 1 lost in, 2 lost out
 *
 * Probes of a burst that settles a doubt are not counted: they are sent where something is wrong already, a dozen within a tenth of a
 * second, and would make that moment a fifth of the window. What is missing beside them is shared out by direction alike.
 *
 * Probes after the newest answer are not counted: they may be under way, and nobody knows where they were lost.
 * A reflector that began anew counts from 0 again: probes without an answer from before that are not counted either, since
 * nobody was there to answer them. (A stateless reflector copies the sender's number; all loss then shows as inbound.)
 */

/** Power of two, so that slots stay in order across the wrap of the 32-bit sequence number. */
export const RING_PROBES = 512;
/** 10 s at 5 probes/s: a single lost probe is 2 %. */
export const LOSS_WINDOW_PROBES = 50;
/** With fewer, one lost probe would read as more than 10 %. */
const LOSS_PROBES_MIN = 10;

const WAITING = 1;
const ANSWERED = 2;
/** Answered after its deadline. */
const LATE = 3;

export type MatchOutcome = 'accepted' | 'unsolicited' | 'duplicate' | 'late';

export interface DirectionalLoss {
  readonly outPpm: number | null;
  readonly inPpm: number | null;
}

export class ProbeRing {
  readonly #state = new Uint8Array(RING_PROBES);
  /** 1: of a burst. */
  readonly #burst = new Uint8Array(RING_PROBES);
  readonly #sentAtMs = new Float64Array(RING_PROBES);
  readonly #sentAttentiveMs = new Float64Array(RING_PROBES);
  readonly #t1Seconds = new Uint32Array(RING_PROBES);
  readonly #t1Fraction = new Uint32Array(RING_PROBES);
  readonly #reflectorSequence = new Uint32Array(RING_PROBES);
  #next: number;
  #total = 0;
  #lossFloor = 0;

  /** `firstSequence`: RFC 8762 starts at 0; tests start elsewhere to cross the wrap. */
  constructor(firstSequence = 0) {
    this.#next = firstSequence >>> 0;
  }

  get nextSequence(): number {
    return this.#next;
  }

  /** Notes the probe `nextSequence` as sent and returns its sequence number. */
  record(sentAtMs: number, attentiveMs: number, t1Seconds: number, t1Fraction: number, isBurst = false): number {
    const sequence = this.#next;
    const slot = sequence % RING_PROBES;
    this.#state[slot] = WAITING;
    this.#burst[slot] = isBurst ? 1 : 0;
    this.#sentAtMs[slot] = sentAtMs;
    this.#sentAttentiveMs[slot] = attentiveMs;
    this.#t1Seconds[slot] = t1Seconds;
    this.#t1Fraction[slot] = t1Fraction;
    this.#next = (sequence + 1) >>> 0;
    this.#total++;
    return sequence;
  }

  /** What a reply that echoes this sequence number and T1 is. Changes nothing. */
  match(
    sequence: number,
    t1Seconds: number,
    t1Fraction: number,
    attentiveMs: number,
    replyTimeoutMs: number,
  ): MatchOutcome {
    const back = (this.#next - 1 - sequence) >>> 0;
    if (back >= Math.min(this.#total, RING_PROBES)) return 'unsolicited';
    const slot = sequence % RING_PROBES;
    if (this.#t1Seconds[slot] !== t1Seconds || this.#t1Fraction[slot] !== t1Fraction) return 'unsolicited';
    if (this.#state[slot] !== WAITING) return 'duplicate';
    return attentiveMs - (this.#sentAttentiveMs[slot] ?? 0) > replyTimeoutMs ? 'late' : 'accepted';
  }

  /** Monotonic milliseconds of sending. Only for a probe that `match` accepted. */
  sentAtMs(sequence: number): number {
    return this.#sentAtMs[sequence % RING_PROBES] ?? 0;
  }

  /** The same on the attentive clock. */
  sentAttentiveMs(sequence: number): number {
    return this.#sentAttentiveMs[sequence % RING_PROBES] ?? 0;
  }

  answer(sequence: number, reflectorSequence: number): void {
    this.#state[sequence % RING_PROBES] = ANSWERED;
    this.#reflectorSequence[sequence % RING_PROBES] = reflectorSequence;
  }

  /** The reply came after its deadline: lost it stays, and a second one is a duplicate. */
  answerLate(sequence: number): void {
    this.#state[sequence % RING_PROBES] = LATE;
  }

  /** Counts loss only among probes sent from now on. */
  restartLoss(): void {
    this.#lossFloor = this.#total;
  }

  /** Loss over the newest 50 probes, but for bursts, up to the newest answered one. Null while fewer than 10 can be judged. */
  loss(attentiveMs: number, replyTimeoutMs: number): DirectionalLoss {
    const oldest = Math.min(this.#total - this.#lossFloor, RING_PROBES);
    let counted = 0;
    let lostOut = 0;
    let lostIn = 0;
    let laterSequence: number | null = null;
    let missing = 0;
    let missingOfBursts = 0;
    let underWay = false;
    for (let back = 0; back < oldest && counted < LOSS_WINDOW_PROBES; back++) {
      const slot = ((this.#next - 1 - back) >>> 0) % RING_PROBES;
      if (this.#state[slot] === ANSWERED) {
        const sequence = this.#reflectorSequence[slot] ?? 0;
        const grown = laterSequence === null ? 0 : (laterSequence - sequence) | 0;
        // without any missing, one probe overtook the other
        if (grown < 0 && missing > 0) break;
        if (laterSequence !== null && !underWay) {
          const counting = missing - missingOfBursts;
          const reflected = missing === 0 ? 0 : Math.min(Math.max(grown - 1, 0) / missing, 1) * counting;
          lostOut += counting - reflected;
          lostIn += reflected;
          counted += counting;
        }
        if (this.#burst[slot] === 0) counted++;
        laterSequence = sequence;
        missing = 0;
        missingOfBursts = 0;
        underWay = false;
      } else if (laterSequence !== null) {
        missing++;
        if (this.#burst[slot] === 1) missingOfBursts++;
        const ageMs = attentiveMs - (this.#sentAttentiveMs[slot] ?? 0);
        if (this.#state[slot] === WAITING && ageMs <= replyTimeoutMs) underWay = true;
      }
    }
    if (counted < LOSS_PROBES_MIN) return { outPpm: null, inPpm: null };
    const arrived = counted - lostOut;
    return {
      outPpm: Math.round((lostOut / counted) * 1e6),
      inPpm: arrived === 0 ? null : Math.round((lostIn / arrived) * 1e6),
    };
  }
}
