/**
 * Writes one RouteDelta straight into bytes, with the checksum of the table it leads to: what a session sends as field
 * `route_delta` of a CoreFrame. For tables of many nodes, where an object for each row would cost more than the paths.
 * The bytes are what protocol/session.proto says, the checksum what protocol/route-table.ts says: tests hold it
 * against both.
 *
 *   begin(...)  entry(...) ... entry(...)  finish() -> bytes, valid until the next begin
 *
 * An entry is one prefix and its next hop. On a transit node it is three rows, alike in the tables of both planes and
 * of the node itself; on a leaf it is one row of its own table.
 */

/** Node index of "no next hop": 0 is nobody's index. */
export const NO_NEXT_HOP = 0;

const SOURCE = 1;
const TRANSIT_A = 2;
const TRANSIT_B = 3;
const PLANE_A = 1;

/** Longest row: two bytes of tag and length, and 20 of content with three-byte indices. */
const ROW_BYTES = 32;

export class DeltaWriter {
  #bytes = new Uint8Array(4_096);
  #at = 0;
  #rows = 0;
  #transit = false;
  /** Sum of the rows' hashes, modulo 2^64, and the hash at work. */
  #sumLow = 0;
  #sumHigh = 0;
  #low = 0;
  #high = 0;

  /** Rows written since `begin`: set and removed. */
  get rows(): number {
    return this.#rows;
  }

  /** Checksum of the table after the entries so far. */
  get checksumLow(): number {
    return this.#sumLow;
  }

  get checksumHigh(): number {
    return this.#sumHigh;
  }

  /**
   * Starts a delta from a table of this generation and checksum; `baseGeneration` 0: a full table, which starts empty.
   * Generations are below 2^53.
   */
  begin(transit: boolean, generation: number, baseGeneration: number, sumLow: number, sumHigh: number): void {
    this.#at = 0;
    this.#rows = 0;
    this.#transit = transit;
    const full = baseGeneration === 0;
    this.#sumLow = full ? 0 : sumLow;
    this.#sumHigh = full ? 0 : sumHigh;
    this.#byte(0x08);
    this.#varint(generation);
    if (full) {
      this.#byte(0x18);
      this.#byte(1);
    } else {
      this.#byte(0x10);
      this.#varint(baseGeneration);
    }
  }

  /**
   * The aligned block of 2^bits nodes from `destination` had the next hop `before` and has `after` (node indices, or
   * NO_NEXT_HOP). Nothing is written when they are the same. Each prefix at most once in a delta.
   */
  entry(destination: number, bits: number, before: number, after: number): void {
    if (before === after) return;
    this.#row(SOURCE, destination, bits, before, after);
    if (!this.#transit) return;
    this.#row(TRANSIT_A, destination, bits, before, after);
    this.#row(TRANSIT_B, destination, bits, before, after);
  }

  /** Ends the delta. The bytes are overwritten by the next `begin`. */
  finish(): Uint8Array {
    this.#room(16);
    this.#byte(0x31);
    for (const half of [this.#sumLow, this.#sumHigh]) {
      for (let shift = 0; shift < 32; shift += 8) this.#byte((half >>> shift) & 0xff);
    }
    return this.#bytes.subarray(0, this.#at);
  }

  #row(table: number, destination: number, bits: number, before: number, after: number): void {
    this.#room(ROW_BYTES);
    this.#rows++;
    if (before !== NO_NEXT_HOP) {
      this.#hash(table, destination, bits, before);
      const low = this.#sumLow - this.#low;
      this.#sumLow = low >>> 0;
      this.#sumHigh = (this.#sumHigh - this.#high - (low < 0 ? 1 : 0)) >>> 0;
    }
    if (after !== NO_NEXT_HOP) {
      this.#hash(table, destination, bits, after);
      const low = this.#sumLow + this.#low;
      this.#sumLow = low >>> 0;
      this.#sumHigh = (this.#sumHigh + this.#high + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
    }
    this.#byte(after === NO_NEXT_HOP ? 0x2a : 0x22);
    const lengthAt = this.#at++;
    this.#byte(0x08);
    this.#byte(table);
    if (destination !== 0) {
      this.#byte(0x10);
      this.#varint(destination);
    }
    if (bits !== 0) {
      this.#byte(0x18);
      this.#byte(bits);
    }
    if (after !== NO_NEXT_HOP) {
      if (hasPlane(table, destination, bits, after)) {
        this.#byte(0x20);
        this.#byte(PLANE_A);
      }
      this.#byte(0x2a);
      const hopAt = this.#at++;
      this.#byte(0x08);
      this.#varint(after);
      this.#byte(0x10);
      this.#byte(1);
      this.#bytes[hopAt] = this.#at - hopAt - 1;
    }
    this.#bytes[lengthAt] = this.#at - lengthAt - 1;
  }

  /** FNV-1a of the row's text, `table/destination/bits|plane|neighbour*1|`, as protocol/route-table.ts hashes it. */
  #hash(table: number, destination: number, bits: number, neighbour: number): void {
    this.#low = 0x8422_2325;
    this.#high = 0xcbf2_9ce4;
    this.#step(48 + table);
    this.#step(47);
    this.#decimal(destination);
    this.#step(47);
    this.#decimal(bits);
    this.#step(124);
    this.#step(hasPlane(table, destination, bits, neighbour) ? 97 : 45);
    this.#step(124);
    this.#decimal(neighbour);
    this.#step(42);
    this.#step(49);
    this.#step(124);
    this.#low >>>= 0;
    this.#high >>>= 0;
  }

  #decimal(value: number): void {
    let power = 1;
    while (power * 10 <= value) power *= 10;
    for (; power >= 1; power = Math.trunc(power / 10)) this.#step(48 + (Math.trunc(value / power) % 10));
  }

  /** Times the prime 2^40 + 0x1b3, in 16- and 32-bit parts that stay whole numbers of 32 bits. */
  #step(code: number): void {
    const low = this.#low ^ code;
    const least = (low & 0xffff) * 0x1b3;
    const upper = (low >>> 16) * 0x1b3 + (least >>> 16);
    this.#high = (Math.imul(this.#high, 0x1b3) + (upper >>> 16) + (low << 8)) | 0;
    this.#low = ((upper & 0xffff) << 16) | (least & 0xffff);
  }

  #byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#byte(rest);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const longer = new Uint8Array(this.#bytes.length * 2);
    longer.set(this.#bytes);
    this.#bytes = longer;
  }
}

/** A row of the node's own table names a plane unless it is plain WireGuard to the destination itself. */
function hasPlane(table: number, destination: number, bits: number, neighbour: number): boolean {
  return table === SOURCE && !(bits === 0 && neighbour === destination);
}
