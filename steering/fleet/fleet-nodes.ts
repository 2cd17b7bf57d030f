/** Who is in the fleet, by node index, and which pairs of transit nodes have a session. */

export type NodeKind = 'transit' | 'leaf';

const UNKNOWN = 0;
const TRANSIT = 1;
const LEAF = 2;

export class FleetNodes {
  readonly #kind: Uint8Array;
  readonly #pairs = new Set<number>();
  #leaves = 0;

  /** Room for node indices below `capacity`. */
  constructor(capacity: number) {
    this.#kind = new Uint8Array(capacity);
  }

  get leafCount(): number {
    return this.#leaves;
  }

  get capacity(): number {
    return this.#kind.length;
  }

  kindOf(index: number): NodeKind | undefined {
    const kind = this.#kind[index];
    return kind === TRANSIT ? 'transit' : kind === LEAF ? 'leaf' : undefined;
  }

  add(index: number, kind: NodeKind): void {
    if (this.kindOf(index) === 'leaf') this.#leaves--;
    this.#kind[index] = kind === 'transit' ? TRANSIT : LEAF;
    if (kind === 'leaf') this.#leaves++;
  }

  removeLeaf(index: number): void {
    if (this.#kind[index] !== LEAF) return;
    this.#kind[index] = UNKNOWN;
    this.#leaves--;
  }

  /** All leaves, in ascending order. */
  *leaves(): IterableIterator<number> {
    for (let index = 0; index < this.#kind.length; index++) if (this.#kind[index] === LEAF) yield index;
  }

  /** Opens the session of two transit nodes, or ends it. False: it was so already. */
  setSession(a: number, b: number, open: boolean): boolean {
    const key = this.#keyOf(a, b);
    if (this.#pairs.has(key) === open) return false;
    if (open) this.#pairs.add(key);
    else this.#pairs.delete(key);
    return true;
  }

  hasSession(a: number, b: number): boolean {
    return this.#pairs.has(this.#keyOf(a, b));
  }

  #keyOf(a: number, b: number): number {
    return Math.min(a, b) * this.#kind.length + Math.max(a, b);
  }
}
