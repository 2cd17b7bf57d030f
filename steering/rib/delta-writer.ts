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

const [STAR, MINUS, SLASH, ZERO, ONE, LETTER_A, BAR] = [42, 45, 47, 48, 49, 97, 124];

/** Longest row: two bytes of tag and length, and 20 of content with three-byte indices. */
const ROW_BYTES = 32;

export class DeltaWriter {
  #bytes = new Uint8Array(4_096);
  #at = 0;
  readonly #text = new Uint8Array(48);
  #rows = 0;
  #transit = false;
  /** Sum of the rows' hashes, modulo 2^64. */
  #sumLow = 0;
  #sumHigh = 0;

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
    if (before !== NO_NEXT_HOP) this.#sumRows(destination, bits, before, -1);
    if (after !== NO_NEXT_HOP) this.#sumRows(destination, bits, after, 1);
    this.#room(3 * ROW_BYTES);
    this.#row(SOURCE, destination, bits, after);
    if (!this.#transit) return;
    this.#row(TRANSIT_A, destination, bits, after);
    this.#row(TRANSIT_B, destination, bits, after);
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

  #row(table: number, destination: number, bits: number, after: number): void {
    const bytes = this.#bytes;
    let at = this.#at;
    this.#rows++;
    bytes[at] = after === NO_NEXT_HOP ? 0x2a : 0x22;
    const lengthAt = at + 1;
    at += 2;
    bytes[at++] = 0x08;
    bytes[at++] = table;
    if (destination !== 0) {
      bytes[at++] = 0x10;
      at = writeVarint(bytes, at, destination);
    }
    if (bits !== 0) {
      bytes[at++] = 0x18;
      bytes[at++] = bits;
    }
    if (after !== NO_NEXT_HOP) {
      if (table === SOURCE && !isDirect(destination, bits, after)) {
        bytes[at++] = 0x20;
        bytes[at++] = PLANE_A;
      }
      bytes[at++] = 0x2a;
      const hopAt = at++;
      bytes[at++] = 0x08;
      at = writeVarint(bytes, at, after);
      bytes[at++] = 0x10;
      bytes[at++] = 1;
      bytes[hopAt] = at - hopAt - 1;
    }
    bytes[lengthAt] = at - lengthAt - 1;
    this.#at = at;
  }

  /**
   * Adds to the checksum the FNV-1a hashes of the entry's rows, or takes them away. A row's text is
   * `table/destination/bits|plane|neighbour*1|` (protocol/route-table.ts); the three tables differ in its first
   * character and in the plane.
   */
  #sumRows(destination: number, bits: number, neighbour: number, sign: 1 | -1): void {
    const text = this.#text;
    text[0] = SLASH;
    let end = writeDecimal(text, 1, destination);
    text[end++] = SLASH;
    end = writeDecimal(text, end, bits);
    text[end++] = BAR;
    const planeAt = end++;
    text[end++] = BAR;
    end = writeDecimal(text, end, neighbour);
    text[end++] = STAR;
    text[end++] = ONE;
    text[end++] = BAR;
    for (let table = SOURCE; table <= (this.#transit ? TRANSIT_B : SOURCE); table++) {
      text[planeAt] = table === SOURCE && !isDirect(destination, bits, neighbour) ? LETTER_A : MINUS;
      let low = 0x8422_2325 ^ (ZERO + table);
      let high = 0xcbf2_9ce4 | 0;
      for (let i = 0; ; i++) {
        // times the prime 2^40 + 0x1b3, in 16- and 32-bit parts that stay whole numbers of 32 bits
        const least = (low & 0xffff) * 0x1b3;
        const upper = (low >>> 16) * 0x1b3 + (least >>> 16);
        high = (Math.imul(high, 0x1b3) + (upper >>> 16) + (low << 8)) | 0;
        low = (upper << 16) | (least & 0xffff);
        if (i === end) break;
        low ^= text[i] ?? 0;
      }
      const sum = this.#sumLow + sign * (low >>> 0);
      this.#sumLow = sum >>> 0;
      this.#sumHigh = (this.#sumHigh + sign * (high >>> 0) + (sum < 0 ? -1 : sum > 0xffff_ffff ? 1 : 0)) >>> 0;
    }
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

/** Plain WireGuard to the destination itself: the one kind of row of a node's own table that names no plane. */
function isDirect(destination: number, bits: number, neighbour: number): boolean {
  return bits === 0 && neighbour === destination;
}

/** Writes a whole number below 2^21 from `at`; returns where it ends. */
function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value;
    return at + 1;
  }
  bytes[at] = (value & 0x7f) | 0x80;
  if (value < 0x4000) {
    bytes[at + 1] = value >>> 7;
    return at + 2;
  }
  bytes[at + 1] = ((value >>> 7) & 0x7f) | 0x80;
  bytes[at + 2] = value >>> 14;
  return at + 3;
}

/** Writes a whole number of at most seven digits as ASCII from `at`; returns where it ends. */
function writeDecimal(text: Uint8Array, at: number, value: number): number {
  const digits =
    value < 10 ? 1 : value < 100 ? 2 : value < 1e3 ? 3 : value < 1e4 ? 4 : value < 1e5 ? 5 : value < 1e6 ? 6 : 7;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    text[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}
