/**
 * The network under the mesh as it really is at each moment: RTTs of a matrix, links that degrade, lose, die and heal,
 * nodes without power. And as probes see it: late by what it takes to notice, and with noise.
 */
import type { Random } from '../seeded-random.ts';
import type { RttSource } from './rtt-matrix.ts';

/** What is not as in the matrix. */
export interface LinkCondition {
  readonly isCut: boolean;
  /** Times the matrix's RTT. */
  readonly rttFactor: number;
  /** Parts per million lost in each direction. */
  readonly lossPpm: number;
}

export const HEALTHY: LinkCondition = { isCut: false, rttFactor: 1, lossPpm: 0 };

interface Changed {
  readonly now: LinkCondition;
  readonly before: LinkCondition;
  readonly sinceMs: number;
}

/** What a node's probes say of a link. */
export interface Sight {
  readonly isUp: boolean;
  readonly rttUs: number;
  readonly lossOutPpm: number;
  readonly lossInPpm: number;
}

/** A link counts as down after this long without an answer (agents' default), plus up to one probe interval. */
export const DEAD_AFTER_MS = 1_000;
/** How soon a smoothed RTT shows a new level. */
export const NOTICE_MS = 600;
/** Probes in the window that loss is counted over. */
const LOSS_WINDOW = 50;
/** Spread of an idle link's RTT, and the rare late answer (seen on quiet hosts with userspace WireGuard). */
const NOISE_US = 100;
const LATE_SHARE = 0.01;
const MOST_LATE_US = 20_000;

export class SimulatedUnderlay {
  readonly size: number;
  /** Rises with every change. */
  version = 0;
  readonly #rtts: RttSource;
  readonly #changed = new Map<number, Changed>();
  /** Since when nodes have no power. */
  readonly #dark = new Map<number, number>();

  constructor(rtts: RttSource) {
    this.size = rtts.size;
    this.#rtts = rtts;
  }

  /** There is a path between the two when nothing is broken. */
  exists(a: number, b: number): boolean {
    return a !== b && this.#rtts.rttUs(a, b) !== null;
  }

  setLink(a: number, b: number, now: LinkCondition, nowMs: number): void {
    this.#changed.set(this.#key(a, b), { now, before: this.condition(a, b), sinceMs: nowMs });
    this.version++;
  }

  setPower(node: number, on: boolean, nowMs: number): void {
    if (on) this.#dark.delete(node);
    else this.#dark.set(node, nowMs);
    this.version++;
  }

  hasPower(node: number): boolean {
    return !this.#dark.has(node);
  }

  condition(a: number, b: number): LinkCondition {
    return this.#changed.get(this.#key(a, b))?.now ?? HEALTHY;
  }

  /** RTT in microseconds of what passes now; null: nothing does. */
  trueRttUs(a: number, b: number): number | null {
    if (this.#dark.has(a) || this.#dark.has(b)) return null;
    const { isCut, rttFactor } = this.condition(a, b);
    const rttUs = isCut ? null : this.#rtts.rttUs(a, b);
    return rttUs === null ? null : rttUs * rttFactor;
  }

  /** What the probes of `a` say about `b`; null: the two have no path at all. */
  see(a: number, b: number, next: Random, nowMs: number): Sight | null {
    const rttUs = this.#rtts.rttUs(a, b);
    if (rttUs === null) return null;
    const changed = this.#changed.get(this.#key(a, b));
    const seen =
      changed === undefined ? HEALTHY : nowMs < changed.sinceMs + lag(changed) ? changed.before : changed.now;
    const peerIsDark = nowMs >= (this.#dark.get(b) ?? Number.POSITIVE_INFINITY) + DEAD_AFTER_MS;
    const noiseUs = NOISE_US * Math.abs(gauss(next));
    const late = next() < LATE_SHARE ? Math.min(MOST_LATE_US, 300 * (1 - next()) ** (-1 / 1.5)) : 0;
    return {
      isUp: !seen.isCut && !peerIsDark,
      rttUs: Math.max(1, Math.round(rttUs * seen.rttFactor + noiseUs + late)),
      lossOutPpm: windowLoss(seen.lossPpm, next),
      lossInPpm: windowLoss(seen.lossPpm, next),
    };
  }

  #key(a: number, b: number): number {
    return a < b ? a * this.size + b : b * this.size + a;
  }
}

/** A link that comes back answers at once; one that dies is missed after a while. */
function lag({ now, before }: Changed): number {
  return now.isCut && !before.isCut ? DEAD_AFTER_MS : NOTICE_MS;
}

/** Share of a window's probes that were lost. */
function windowLoss(ppm: number, next: Random): number {
  if (ppm === 0) return 0;
  let lost = 0;
  for (let i = 0; i < LOSS_WINDOW; i++) if (next() * 1_000_000 < ppm) lost++;
  return Math.round((lost / LOSS_WINDOW) * 1_000_000);
}

/** Box and Muller, Ann. Math. Stat. 29 (1958). */
function gauss(next: Random): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
