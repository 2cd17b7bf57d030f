/**
 * The demand matrix: bytes per second from node to node address, smoothed, bounded. Pure; time comes in.
 *
 *   smoothed   r += (x - r) (1 - e^(-dt / tau)); tau is shorter for a rise, so that load is seen within two reports and
 *              a pause between two transfers does not count as the end of the demand
 *   bounded    at most `maxPairs` pairs; beyond that the smallest are summed up by sender ("others")
 *   honest     what a session says is its own node's sending, and nobody else's; a sender whose uplink is known cannot
 *              claim more than fits through it (`cappedBytesPerSecond`)
 */

export interface DemandOptions {
  readonly riseMs: number;
  readonly fallMs: number;
  /** A sender that has said nothing for so long sends nothing: six reports at the usual pace. */
  readonly staleMs: number;
  readonly maxPairs: number;
  /** Less is noise: 1 kbit/s. */
  readonly leastBytesPerSecond: number;
}

export const DEFAULT_DEMAND_OPTIONS: DemandOptions = {
  riseMs: 5_000,
  fallMs: 20_000,
  staleMs: 30_000,
  maxPairs: 100_000,
  leastBytesPerSecond: 125,
};

/** More than any node sends: 1 Tbyte/s. A counter that says so is broken, or lies. */
export const MOST_BYTES_PER_SECOND = 1e12;
/** After the bound is reached so many pairs are kept: room for newcomers without sorting at each of them. */
const KEPT_SHARE = 0.9;

export interface DemandPair {
  readonly from: number;
  readonly to: number;
  readonly bytesPerSecond: number;
}

interface Sender {
  readonly rates: Map<number, number>;
  /** Sum of what is not kept by pair. */
  others: number;
  atMs: number;
}

export class DemandMatrix {
  readonly #options: DemandOptions;
  readonly #senders = new Map<number, Sender>();
  #pairs = 0;
  /** Pairs below it are not kept while the matrix is full. */
  #floor = 0;
  /** Values that were not believed. */
  refused = 0;

  constructor(options: Partial<DemandOptions> = {}) {
    this.#options = { ...DEFAULT_DEMAND_OPTIONS, ...options };
  }

  /** Pairs that are kept one by one. */
  get size(): number {
    return this.#pairs;
  }

  /**
   * What `from` sent to each peer lately; a peer that is not named was sent nothing. Values that cannot be are refused
   * and counted, the others taken.
   */
  report(
    from: number,
    demands: readonly { readonly peerIndex: number; readonly bytesPerSecond: number }[],
    nowMs: number,
  ): void {
    const { riseMs, fallMs, leastBytesPerSecond, maxPairs } = this.#options;
    const sender = this.#senders.get(from) ?? { rates: new Map<number, number>(), others: 0, atMs: nowMs - riseMs };
    this.#senders.set(from, sender);
    const elapsedMs = Math.max(0, nowMs - sender.atMs);
    const [rise, fall] = [1 - Math.exp(-elapsedMs / riseMs), 1 - Math.exp(-elapsedMs / fallMs)];
    sender.atMs = nowMs;
    const said = new Map<number, number>();
    for (const { peerIndex, bytesPerSecond } of demands) {
      if (peerIndex !== from && bytesPerSecond >= 0 && bytesPerSecond <= MOST_BYTES_PER_SECOND) {
        said.set(peerIndex, bytesPerSecond);
      } else this.refused++;
    }
    for (const to of sender.rates.keys()) if (!said.has(to)) said.set(to, 0);
    let others = 0;
    for (const [to, measured] of said) {
      const before = sender.rates.get(to) ?? 0;
      const rate = before + (measured - before) * (measured > before ? rise : fall);
      const known = sender.rates.has(to);
      if (rate < leastBytesPerSecond || (rate < this.#floor && !known)) {
        if (rate >= leastBytesPerSecond) others += rate;
        if (sender.rates.delete(to)) this.#pairs--;
        continue;
      }
      sender.rates.set(to, rate);
      if (!known) this.#pairs++;
    }
    sender.others = others;
    if (this.#pairs > maxPairs) this.#sumUpSmallest();
    else if (this.#pairs < maxPairs * KEPT_SHARE * KEPT_SHARE) this.#floor = 0;
  }

  /** Forgets a node as sender and as receiver. */
  removeNode(index: number): void {
    this.#pairs -= this.#senders.get(index)?.rates.size ?? 0;
    this.#senders.delete(index);
    for (const { rates } of this.#senders.values()) if (rates.delete(index)) this.#pairs--;
  }

  /** Bytes per second from one node to another; 0: nothing, or not kept by pair. */
  rate(from: number, to: number, nowMs: number): number {
    const sender = this.#senders.get(from);
    return sender === undefined || this.#isStale(sender, nowMs) ? 0 : (sender.rates.get(to) ?? 0);
  }

  /** All pairs in order of sender and receiver. */
  pairs(nowMs: number): DemandPair[] {
    const pairs: DemandPair[] = [];
    for (const [from, sender] of [...this.#senders].sort(([a], [b]) => a - b)) {
      if (this.#isStale(sender, nowMs)) continue;
      for (const [to, bytesPerSecond] of [...sender.rates].sort(([a], [b]) => a - b)) {
        pairs.push({ from, to, bytesPerSecond });
      }
    }
    return pairs;
  }

  /** Sum of what each sender sends in pairs too small to be kept; senders without are left out. */
  others(nowMs: number): { readonly from: number; readonly bytesPerSecond: number }[] {
    return [...this.#senders]
      .filter(([, sender]) => sender.others > 0 && !this.#isStale(sender, nowMs))
      .map(([from, { others }]) => ({ from, bytesPerSecond: others }))
      .sort((a, b) => a.from - b.from);
  }

  #isStale(sender: Sender, nowMs: number): boolean {
    return nowMs - sender.atMs > this.#options.staleMs;
  }

  #sumUpSmallest(): void {
    const keep = Math.floor(this.#options.maxPairs * KEPT_SHARE);
    const rates = new Float64Array(this.#pairs);
    let i = 0;
    for (const sender of this.#senders.values()) for (const rate of sender.rates.values()) rates[i++] = rate;
    rates.sort();
    this.#floor = rates[this.#pairs - keep] ?? 0;
    let spare = this.#pairs - keep;
    for (const sender of this.#senders.values()) {
      for (const [to, rate] of sender.rates) {
        if (rate > this.#floor || spare === 0) continue;
        sender.others += rate;
        sender.rates.delete(to);
        this.#pairs--;
        spare--;
      }
    }
  }
}

/** Rates of one sender, scaled down where together they are more than its uplink carries. */
export function cappedBytesPerSecond(
  pairs: readonly DemandPair[],
  uplinkBytesPerSecond: number,
): readonly DemandPair[] {
  let sum = 0;
  for (const { bytesPerSecond } of pairs) sum += bytesPerSecond;
  if (!(sum > uplinkBytesPerSecond)) return pairs;
  const scale = uplinkBytesPerSecond / sum;
  return pairs.map((pair) => ({ ...pair, bytesPerSecond: pair.bytesPerSecond * scale }));
}
