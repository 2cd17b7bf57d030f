/**
 * Checksum of distances, for holding implementations against each other in whatever language and order. Over all pairs
 * (source, target), also source = target with distance 0, with 32-bit unsigned arithmetic that wraps:
 *
 *   x  = distance ^ (source * 0x9E3779B1) ^ (target * 0x85EBCA77)      numbers of the DIMACS file, from 1
 *   x ^= x >> 16;  x *= 0x7FEB352D;  x ^= x >> 15;  x *= 0x846CA68B;  x ^= x >> 16
 *
 * The checksum is the sum of all x as a 64-bit unsigned number, in 16 hexadecimal digits. A target that cannot be
 * reached has distance 0xFFFFFFFF. (The mixing is C. Wellons' lowbias32.)
 */
export class DistanceChecksum {
  #low = 0;
  #high = 0;

  add(source: number, target: number, distance: number): void {
    let x = distance ^ Math.imul(source, 0x9e3779b1) ^ Math.imul(target, 0x85ebca77);
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    this.#low += (x ^ (x >>> 16)) >>> 0;
    if (this.#low > 0xffff_ffff) {
      this.#low -= 0x1_0000_0000;
      this.#high++;
    }
  }

  /** Adds a row: distances by slot, where slot s has number s + 1. */
  addRow(sourceSlot: number, distances: ArrayLike<number>, slotCount: number): void {
    for (let slot = 0; slot < slotCount; slot++) this.add(sourceSlot + 1, slot + 1, distances[slot] ?? 0xffff_ffff);
  }

  get hex(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0');
  }
}
