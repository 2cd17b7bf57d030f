/** When the next plan is due, and whether it is to explore. Pure: a few numbers that events and time move. */
export interface PlanRoundOptions {
  readonly roundMs: number;
  readonly restMs: number;
}

/** What comes after a plan: new pairs to explore; the ones that are being explored go on; none. */
export type AfterPlan = 'explore' | 'continue' | 'rest';

/** Nodes come in bursts; one plan serves them all. */
const DEBOUNCE_MS = 200;
/** Between plans: at most a fifth of a thread, whatever happens. */
const LEAST_GAP_MS = 1_000;
const GAP_SHARE = 5;
/** Explored pairs come up after 2 to 4 s; an agent is not told of peers more often than this. */
const LEAST_ROUND_MS = 8_000;
/** A round that brought fewer planned links than this per node found nothing worth another one at once. */
const FOUND_SHARE = 0.02;
/** After a thread that died, say. */
const RETRY_MS = 5_000;

const NEVER = Number.POSITIVE_INFINITY;

export class PlanRounds {
  readonly #options: PlanRoundOptions;
  #planAtMs = NEVER;
  /** When the present round of exploration, and the rest after it, is over; Infinity: there is none. */
  #roundEndMs = NEVER;
  #roundBeganMs = 0;
  #restEndMs = NEVER;
  #pauseMs = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #running = false;
  #exploring = false;
  /** Rounds begun. */
  count = 0;

  constructor(options: PlanRoundOptions) {
    this.#options = options;
  }

  /** Infinity while a plan is being made, or none is needed. */
  get dueMs(): number {
    if (this.#running) return NEVER;
    return Math.max(this.#notBeforeMs, Math.min(this.#planAtMs, this.#roundEndMs, this.#restEndMs));
  }

  /** Plans are made from `fromMs` on. */
  begin(fromMs: number): void {
    this.stop();
    this.#notBeforeMs = fromMs;
    this.#planAtMs = fromMs + DEBOUNCE_MS;
    this.#restEndMs = fromMs + DEBOUNCE_MS;
  }

  stop(): void {
    [this.#planAtMs, this.#roundEndMs, this.#restEndMs] = [NEVER, NEVER, NEVER];
    this.#exploring = false;
    this.#running = false;
    this.#pauseMs = 0;
  }

  /** Something changed that a plan must follow soon; there is something new to learn. Nothing before `begin`. */
  wake(nowMs: number): void {
    if (this.#isIdle()) return;
    this.#planAtMs = Math.min(this.#planAtMs, nowMs + DEBOUNCE_MS);
    this.#pauseMs = 0;
    if (!this.#exploring) this.#restEndMs = Math.min(this.#restEndMs, nowMs + DEBOUNCE_MS);
  }

  /** All explored pairs are measured: the round need not go on. */
  measured(nowMs: number): void {
    if (this.#exploring)
      this.#roundEndMs = Math.min(this.#roundEndMs, Math.max(nowMs, this.#roundBeganMs + LEAST_ROUND_MS));
  }

  started(): void {
    this.#running = true;
    this.#planAtMs = NEVER;
  }

  failed(nowMs: number): void {
    if (!this.#running) return;
    this.#running = false;
    this.#planAtMs = nowMs + RETRY_MS;
    this.#notBeforeMs = nowMs + RETRY_MS;
  }

  /**
   * A plan was made. `found`: explored pairs of the round that it took; `wanted`: pairs that it would explore.
   */
  planned(found: number, wanted: number, nodes: number, tookMs: number, nowMs: number): AfterPlan {
    this.#running = false;
    this.#notBeforeMs = nowMs + Math.max(LEAST_GAP_MS, tookMs * GAP_SHARE);
    const { roundMs, restMs } = this.#options;
    if (this.#exploring) {
      if (nowMs < this.#roundEndMs) return 'continue';
      this.#exploring = false;
      this.#roundEndMs = NEVER;
      const isLearning = this.count < 2 || found >= FOUND_SHARE * nodes;
      this.#pauseMs = isLearning ? 0 : Math.min(restMs, Math.max(roundMs * 2, this.#pauseMs * 2));
      this.#restEndMs = nowMs + this.#pauseMs;
    }
    if (nowMs < this.#restEndMs) return 'rest';
    if (wanted === 0) {
      this.#restEndMs = nowMs + restMs;
      return 'rest';
    }
    this.#exploring = true;
    this.#roundBeganMs = nowMs;
    this.#roundEndMs = nowMs + roundMs;
    this.#restEndMs = NEVER;
    this.count++;
    return 'explore';
  }

  #isIdle(): boolean {
    return !this.#running && !this.#exploring && this.#restEndMs === NEVER && this.#planAtMs === NEVER;
  }
}
