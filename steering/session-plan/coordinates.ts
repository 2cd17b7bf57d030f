/**
 * Network coordinates: each node gets a place in a small space so that distance predicts RTT between nodes that never
 * measured each other. Vivaldi with height vectors (Dabek, Cox, Kaashoek, Morris, SIGCOMM 2004):
 *
 *   predicted(a, b) = |xa - xb| + ha + hb        x: the core of the network, h: what every path of the node has in common
 *   w = ea / (ea + eb)                           who is less sure moves more
 *   ea = es * ce * w + ea * (1 - ce * w)         es: relative error of this sample
 *   a moves by cc * w * (rtt - predicted) along the unit vector away from b; the same for b
 *
 * Against outliers: what cannot be an RTT is refused, the error of one sample counts at most 1, and one sample moves a
 * node by at most `maxMoveUs`.
 */
import { hashOf } from './seeded.ts';

export interface CoordinateOptions {
  /** Dimensions beside the height. 3: more than 3 gained nothing on the matrices in docs/session-plan.md, 2 lost a little. */
  readonly dimensions: number;
  /** ce and cc of the paper, which found 0.25 good for both. */
  readonly errorGain: number;
  readonly moveGain: number;
  /** Most that one sample may move a node. 50 ms: half a way round the globe takes a few samples, a wild one harms little. */
  readonly maxMoveUs: number;
  /** Least height: a host's own share of a round trip. */
  readonly minHeightUs: number;
}

export const DEFAULT_COORDINATE_OPTIONS: CoordinateOptions = {
  dimensions: 3,
  errorGain: 0.25,
  moveGain: 0.25,
  maxMoveUs: 50_000,
  minHeightUs: 100,
};

/** RTTs outside of this are no RTTs: below, it is this host; above, a queue somewhere and not the path. */
const LEAST_RTT_US = 1;
const MOST_RTT_US = 60_000_000;
/** Nobody is surer of himself than this: he must still follow when the network changes. */
const LEAST_ERROR = 0.01;

export function isRtt(rttUs: number): boolean {
  return rttUs >= LEAST_RTT_US && rttUs <= MOST_RTT_US;
}

export class Coordinates {
  readonly #options: CoordinateOptions;
  readonly #seed: number;
  readonly #places = new Map<number, number>();
  readonly #free: number[] = [];
  #position = new Float64Array(0);
  #height = new Float64Array(0);
  #error = new Float64Array(0);

  constructor(seed: number, options: CoordinateOptions = DEFAULT_COORDINATE_OPTIONS) {
    this.#seed = seed;
    this.#options = options;
  }

  /** Nodes that have a coordinate. */
  get size(): number {
    return this.#places.size;
  }

  has(node: number): boolean {
    return this.#places.has(node);
  }

  /** Relative error that the node expects of its predictions: 1 at first, 0.1 to 0.3 once settled; 1 for an unknown node. */
  errorOf(node: number): number {
    const place = this.#places.get(node);
    return place === undefined ? 1 : (this.#error[place] ?? 1);
  }

  remove(node: number): void {
    const place = this.#places.get(node);
    if (place === undefined) return;
    this.#places.delete(node);
    this.#free.push(place);
  }

  /** Predicted RTT in microseconds; NaN when one of them has no coordinate. */
  predictUs(a: number, b: number): number {
    const [i, j] = [this.#places.get(a), this.#places.get(b)];
    if (i === undefined || j === undefined) return Number.NaN;
    return this.#between(i, j) + (this.#height[i] ?? 0) + (this.#height[j] ?? 0);
  }

  /**
   * The least RTT that the coordinates allow: |xa - xb| + |ha - hb|, as for two hosts of one site whose way to everybody
   * else is the same. NaN when one of them has no coordinate.
   */
  leastUs(a: number, b: number): number {
    const [i, j] = [this.#places.get(a), this.#places.get(b)];
    if (i === undefined || j === undefined) return Number.NaN;
    return this.#between(i, j) + Math.abs((this.#height[i] ?? 0) - (this.#height[j] ?? 0));
  }

  /** Takes one measured RTT; both nodes move. False: not an RTT, or a node with itself. */
  observe(a: number, b: number, rttUs: number): boolean {
    if (a === b || !isRtt(rttUs)) return false;
    const [i, j] = [this.#place(a), this.#place(b)];
    const [ei, ej] = [this.#error[i] ?? 1, this.#error[j] ?? 1];
    const flat = this.#between(i, j);
    const heights = (this.#height[i] ?? 0) + (this.#height[j] ?? 0);
    const predicted = flat + heights;
    const sampleError = Math.min(1, Math.abs(predicted - rttUs) / rttUs);
    // Both ends move by what was true before either did.
    const alongI = this.#move(i, ei / (ei + ej), sampleError, rttUs, predicted, heights);
    const alongJ = this.#move(j, ej / (ei + ej), sampleError, rttUs, predicted, heights);
    for (let d = 0; d < this.#options.dimensions; d++) {
      const [at, bt] = [i * this.#options.dimensions + d, j * this.#options.dimensions + d];
      const apart = (this.#position[at] ?? 0) - (this.#position[bt] ?? 0);
      // two nodes on one spot part in a direction that the seed decides
      const direction = flat > 1e-3 ? apart : (hashOf(this.#seed, a, b, d) / 2 ** 32 - 0.5) * heights;
      this.#position[at] = (this.#position[at] ?? 0) + (alongI * direction) / predicted;
      this.#position[bt] = (this.#position[bt] ?? 0) - (alongJ * direction) / predicted;
    }
    return true;
  }

  /** The node's coordinate, height last; a copy. Undefined when it has none. */
  vectorOf(node: number): Float64Array | undefined {
    const place = this.#places.get(node);
    if (place === undefined) return undefined;
    const { dimensions } = this.#options;
    const vector = new Float64Array(dimensions + 1);
    vector.set(this.#position.subarray(place * dimensions, (place + 1) * dimensions));
    vector[dimensions] = this.#height[place] ?? 0;
    return vector;
  }

  /** Takes the sample into a place's error and height; by how much the place moves away from the other end. */
  #move(
    place: number,
    weight: number,
    sampleError: number,
    rttUs: number,
    predictedUs: number,
    heightsUs: number,
  ): number {
    const { errorGain, moveGain, maxMoveUs, minHeightUs } = this.#options;
    const error = this.#error[place] ?? 1;
    this.#error[place] = Math.max(LEAST_ERROR, error + errorGain * weight * (sampleError - error));
    const wanted = moveGain * weight * (rttUs - predictedUs);
    const move = Math.max(-maxMoveUs, Math.min(maxMoveUs, wanted));
    const height = (this.#height[place] ?? 0) + (move * heightsUs) / predictedUs;
    this.#height[place] = Math.max(minHeightUs, height);
    return move;
  }

  #between(i: number, j: number): number {
    const { dimensions } = this.#options;
    let sum = 0;
    for (let d = 0; d < dimensions; d++) {
      const difference = (this.#position[i * dimensions + d] ?? 0) - (this.#position[j * dimensions + d] ?? 0);
      sum += difference * difference;
    }
    return Math.sqrt(sum);
  }

  #place(node: number): number {
    const known = this.#places.get(node);
    if (known !== undefined) return known;
    const { dimensions, minHeightUs } = this.#options;
    const place = this.#free.pop() ?? this.#places.size;
    if (place >= this.#height.length) {
      const capacity = Math.max(16, this.#height.length * 2);
      this.#position = lengthened(this.#position, capacity * dimensions);
      this.#height = lengthened(this.#height, capacity);
      this.#error = lengthened(this.#error, capacity);
    }
    // Near the origin, but nobody on top of another: the springs need a direction to push in.
    for (let d = 0; d < dimensions; d++) {
      this.#position[place * dimensions + d] = (hashOf(this.#seed, node, d) / 2 ** 32 - 0.5) * 20 * minHeightUs;
    }
    this.#height[place] = minHeightUs;
    this.#error[place] = 1;
    this.#places.set(node, place);
    return place;
  }
}

function lengthened(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(length);
  longer.set(array);
  return longer;
}
