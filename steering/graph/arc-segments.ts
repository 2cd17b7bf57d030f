/**
 * Adjacency lists of a graph in three typed arrays: the arcs of slot v are `neighbour[k]`, `weight[k]` for
 * start[v] <= k < start[v] + length[v]. A segment that is full moves to the end with twice its room; the arrays are
 * compacted when more than half of them is abandoned, so edits cost O(degree), amortised.
 */
export class ArcSegments {
  start = new Int32Array(0);
  length = new Int32Array(0);
  neighbour = new Int32Array(16);
  weight = new Int32Array(16);
  #room = new Int32Array(0);
  #end = 0;
  #abandoned = 0;

  /** Makes room for slots below `capacity`. */
  grow(capacity: number): void {
    this.start = grown(this.start, capacity);
    this.length = grown(this.length, capacity);
    this.#room = grown(this.#room, capacity);
  }

  /** Position of the arc, or -1. */
  find(slot: number, neighbour: number): number {
    const from = this.start[slot] ?? 0;
    const to = from + (this.length[slot] ?? 0);
    for (let k = from; k < to; k++) if (this.neighbour[k] === neighbour) return k;
    return -1;
  }

  append(slot: number, neighbour: number, weight: number): void {
    const length = this.length[slot] ?? 0;
    if (length === this.#room[slot]) this.#move(slot, Math.max(4, length * 2));
    const k = (this.start[slot] ?? 0) + length;
    this.neighbour[k] = neighbour;
    this.weight[k] = weight;
    this.length[slot] = length + 1;
  }

  /** Removes the arc at position `k` of `slot`; the last arc takes its place. */
  removeAt(slot: number, k: number): void {
    const last = (this.start[slot] ?? 0) + (this.length[slot] ?? 0) - 1;
    this.neighbour[k] = this.neighbour[last] ?? 0;
    this.weight[k] = this.weight[last] ?? 0;
    this.length[slot] = (this.length[slot] ?? 0) - 1;
  }

  #move(slot: number, room: number): void {
    if (this.#end + room > this.neighbour.length) {
      if (this.#abandoned * 2 > this.#end) this.#compact();
      const least = this.#end + room;
      if (least > this.neighbour.length) {
        const capacity = Math.max(least, this.neighbour.length * 2);
        this.neighbour = grown(this.neighbour, capacity);
        this.weight = grown(this.weight, capacity);
      }
    }
    const from = this.start[slot] ?? 0;
    const length = this.length[slot] ?? 0;
    this.neighbour.copyWithin(this.#end, from, from + length);
    this.weight.copyWithin(this.#end, from, from + length);
    this.#abandoned += this.#room[slot] ?? 0;
    this.start[slot] = this.#end;
    this.#room[slot] = room;
    this.#end += room;
  }

  #compact(): void {
    const order = [...this.start.keys()]
      .filter((slot) => (this.#room[slot] ?? 0) > 0)
      .sort((a, b) => (this.start[a] ?? 0) - (this.start[b] ?? 0));
    let end = 0;
    for (const slot of order) {
      const from = this.start[slot] ?? 0;
      const room = this.#room[slot] ?? 0;
      this.neighbour.copyWithin(end, from, from + room);
      this.weight.copyWithin(end, from, from + room);
      this.start[slot] = end;
      end += room;
    }
    this.#end = end;
    this.#abandoned = 0;
  }
}

/** The array, or a longer copy padded with zeros. */
export function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  if (array.length >= length) return array;
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
