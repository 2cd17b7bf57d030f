/** The wire's decisions: a frame from one host in, deliveries out. Pure; time comes in as microseconds. */
import { destinationOf, EVERYBODY } from './frame-route.ts';
import type { LinkShape } from './link-shape.ts';
import { seededRandom } from './seeded-random.ts';
import { type DropReason, ShapedLink } from './shaped-link.ts';

export type RouterDropReason = DropReason | 'unknownDestination' | 'portDown' | 'noSlot';

export class FrameRouter {
  readonly hostCount: number;
  readonly #links: ShapedLink[];
  readonly #deliver: (to: number, frame: Uint8Array, dueUs: number) => RouterDropReason | 'ok';
  readonly dropped: Record<RouterDropReason, number> = {
    cut: 0,
    lost: 0,
    queueFull: 0,
    unknownDestination: 0,
    portDown: 0,
    noSlot: 0,
  };
  received = 0;

  /** Hosts are numbered from 1. Every link has a random sequence of its own, so links do not disturb each other. */
  constructor(
    deps: { deliver: (to: number, frame: Uint8Array, dueUs: number) => RouterDropReason | 'ok' },
    options: { hostCount: number; seed: number },
  ) {
    this.#deliver = deps.deliver;
    this.hostCount = options.hostCount;
    const count = (options.hostCount + 1) ** 2;
    this.#links = Array.from(
      { length: count },
      (_, i) => new ShapedLink(seededRandom(options.seed + Math.imul(i, 0x9e3779b1))),
    );
  }

  /** Throws RangeError when a number is not a host's. */
  setLink(from: number, to: number, shape: LinkShape): void {
    this.#link(from, to).setShape(shape);
  }

  /** `frame` is only read before this returns. */
  accept(from: number, frame: Uint8Array, nowUs: number): void {
    this.received++;
    const destination = destinationOf(frame, this.hostCount);
    if (destination === EVERYBODY) {
      for (let to = 1; to <= this.hostCount; to++) if (to !== from) this.#enter(from, to, frame, nowUs);
    } else if (destination < 0 || destination === from) {
      this.dropped.unknownDestination++;
    } else {
      this.#enter(from, destination, frame, nowUs);
    }
  }

  #enter(from: number, to: number, frame: Uint8Array, nowUs: number): void {
    const due = this.#link(from, to).enter(frame.length, nowUs);
    const result = typeof due === 'number' ? this.#deliver(to, frame, due) : due;
    if (result !== 'ok') this.dropped[result]++;
  }

  #link(from: number, to: number): ShapedLink {
    const inRange = (n: number) => Number.isInteger(n) && n >= 1 && n <= this.hostCount;
    const link =
      inRange(from) && inRange(to) && from !== to ? this.#links[from * (this.hostCount + 1) + to] : undefined;
    if (link === undefined) throw new RangeError(`no link from host ${from} to host ${to}`);
    return link;
  }
}
