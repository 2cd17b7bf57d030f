/** Times of a rollout. */
export interface RolloutOptions {
  /**
   * Longest time a packet is expected to be on its way on the old plane: several times the longest RTT on earth. Where all its
   * paths are measured it is `urgentDrainMs` and the longest path's RTT (drain-time.ts).
   */
  readonly drainMs: number;
  /** The same when the committed next hops are broken and a repair waits: the longest one-way trip on earth. */
  readonly urgentDrainMs: number;
  /** Sources that do not answer are not waited for. */
  readonly ackTimeoutMs: number;
}

export const DEFAULT_ROLLOUT_OPTIONS: RolloutOptions = { drainMs: 1_000, urgentDrainMs: 250, ackTimeoutMs: 2_000 };
