/**
 * How steep the smooth maximum of load-prices.ts is, from round to round: at eta, a resource at (1 - 1/eta) of the goal costs
 * 1/e of one at the goal. The smooth maximum of R resources is within ln(R) / eta of the maximum.
 */

/** Where shifts are large and few; from tables in force: where only what is near the maximum moves. */
const FIRST_ETA = 50;
const WARM_ETA = 400;
/** Here the maximum is met to a thousandth for hundreds of resources. */
const LAST_ETA = 5000;
/** The larger instances of REPETITA are at the optimum after 6 to 8 rounds of this, and slower is not nearer. */
const GROWTH = 1.3;
/** The first rounds are far from any balance, whatever the steepness: in these it grows in any case. */
const ROUGH_ROUNDS = 3;
/** A round that lowered the maximum by more than this part of 1 / eta is followed by another as steep: steeper is slower. */
const WORTH_STAYING = 0.3;
/**
 * This near above the bound, it is mostly the bound that is not there yet: what is not at the maximum still has a price in it. So eta
 * goes to ln(R) / gap, but at most three times up at once: the descent has to follow.
 */
const NEAR_BOUND = 0.05;
const MOST_LEAP = 3;
/** Rounds between two looks at the lower bound while it is further off: a look takes about as long as a round. */
const BOUND_EVERY = 4;
/**
 * Raised too fast, eta leaves the descent stuck: an eta so many times ln(R) / gap has come too early, and where less than a part of
 * the gap was gained in so many rounds, it falls back to that.
 */
const TOO_STEEP = 4;
const LEAST_PROGRESS = 0.1;

export class Steepness {
  /** Of the round at hand. */
  eta: number;
  readonly #warm: boolean;
  readonly #logResources: number;
  #round = -1;
  #growth = GROWTH;
  /** What eta is multiplied by after this round. */
  #factor = GROWTH;
  #near = false;
  #last = Number.POSITIVE_INFINITY;
  #before = Number.POSITIVE_INFINITY;
  #patience = 0;

  /** `resourceCount`: 1 or more. `warm`: from tables in force, where a round or two do, and each moves routes. */
  constructor(resourceCount: number, warm: boolean) {
    this.#logResources = Math.log(resourceCount);
    this.#warm = warm;
    this.eta = warm ? WARM_ETA : FIRST_ETA;
  }

  /** Begins a round at this highest utilisation. */
  begin(highest: number): void {
    this.#round++;
    const gained = this.#last / highest - 1;
    this.#last = highest;
    const stays = !this.#warm && this.#round > ROUGH_ROUNDS && gained * this.eta > WORTH_STAYING;
    this.#factor = stays ? 1 : this.#growth;
  }

  /** Whether this round is one to look at the bound in. */
  get looksAtBound(): boolean {
    return this.#round > 0 && (this.#warm || this.#near || this.#round % BOUND_EVERY === 0);
  }

  /** Takes in how far above the bound, as a part of it, the highest utilisation is. Whether eta fell back. */
  above(gap: number): boolean {
    const due = this.#logResources / gap;
    if (!this.#warm) {
      this.#near = gap < NEAR_BOUND;
      if (this.#near) this.#factor = Math.max(this.#factor, Math.min(MOST_LEAP, due / this.eta));
      if (this.#round % BOUND_EVERY !== 0) return false;
    }
    const stuck = this.#before / this.#last - 1 < LEAST_PROGRESS * gap;
    this.#before = this.#last;
    if (!stuck || this.eta <= Math.max(TOO_STEEP * due, this.#patience)) return false;
    this.#patience = Math.min(2 * this.eta, LAST_ETA / 2);
    this.#growth = 1 + (this.#growth - 1) / 2;
    this.#factor = this.#growth;
    this.eta = Math.max(FIRST_ETA, due);
    return true;
  }

  /** Ends the round. */
  end(): void {
    this.eta = Math.min(LAST_ETA, this.eta * this.#factor);
  }
}
