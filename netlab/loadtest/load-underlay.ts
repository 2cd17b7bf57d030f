/** RTTs between simulated agents: points on a plane, by node index, so that every process knows them without being told. */

/** What one link is made to be for a while, instead of what its distance says. */
export type LinkState = { readonly rttUs: number } | 'down';

/** The farthest two nodes are about this far apart: one way round a continent. */
const SPAN_US = 60_000;
const LEAST_US = 800;

export class LoadUnderlay {
  readonly #changed = new Map<string, LinkState>();

  /** Null: it is what it was at first. */
  change(a: number, b: number, state: LinkState | null): void {
    if (state === null) this.#changed.delete(key(a, b));
    else this.#changed.set(key(a, b), state);
  }

  /** The same in both directions. */
  link(a: number, b: number): LinkState {
    return this.#changed.get(key(a, b)) ?? { rttUs: distanceUs(a, b) };
  }
}

/** RTT by distance, in microseconds. */
export function distanceUs(a: number, b: number): number {
  const dx = coordinate(a, 1) - coordinate(b, 1);
  const dy = coordinate(a, 2) - coordinate(b, 2);
  return Math.round(LEAST_US + SPAN_US * Math.hypot(dx, dy));
}

/** 0 to 1, even over indices: a multiplicative hash (Knuth, TAOCP volume 3, 6.4) with a mix of murmur3. */
function coordinate(index: number, axis: number): number {
  let mixed = Math.imul(index * 2 + axis, 0x9e37_79b1) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35) >>> 0;
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}

function key(a: number, b: number): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}
