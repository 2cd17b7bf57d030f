/** What each link is used for, and how it is watched therefore. Pure. */
import type { LinkUse } from '../overlay/stamp/probe-pace.ts';
import type { DetectionSettings } from '../overlay/stamp/prober.ts';
import type { RouteRow } from '../protocol/route-table.ts';

/** What the operator chose. */
export type DetectionRules = Pick<DetectionSettings, 'guard' | 'packetsPerSecond' | 'processorShare'>;

/** Links in use with `--detect fast`: babeld tuned for speed says hello every 20 ms, with half the packets this is as quick. */
const FAST_MS = 50;
/** Links that nothing depends on. */
const IDLE_MS = 1000;
/** Twice what probing at the fastest pace sends, as WireGuard counts it: 40 packets a second of 136 bytes. */
const BUSY_BYTES_PER_SECOND = 11_000;

/** A new plan of the core's and the operator's choice, together. */
export function detectionSettings(plan: { readonly intervalMs: number }, rules: DetectionRules): DetectionSettings {
  const { intervalMs } = plan;
  return {
    ...rules,
    watchedMs: rules.guard === 'fast' ? Math.min(FAST_MS, intervalMs) : intervalMs,
    idleMs: Math.max(IDLE_MS, intervalMs),
  };
}

/** Neighbours that some row forwards by, now or when another one fails; and peers that are reached directly for want of a row. */
export function neighboursInUse(
  rows: readonly RouteRow[],
  peers: readonly { readonly index: number }[],
): ReadonlySet<number> {
  const inUse = new Set<number>();
  const withRow = new Set<number>();
  const blocks: RouteRow[] = [];
  for (const row of rows) {
    for (const { neighbour } of row.nextHops) inUse.add(neighbour);
    for (const backup of row.backups) inUse.add(backup);
    if (row.table !== 'source') continue;
    if (row.blockBits === 0) withRow.add(row.destination);
    else blocks.push(row);
  }
  const covered = (index: number): boolean =>
    withRow.has(index) ||
    blocks.some((row) => index >= row.destination && index < row.destination + 2 ** row.blockBits);
  for (const { index } of peers) if (!inUse.has(index) && !covered(index)) inUse.add(index);
  return inUse;
}

/** @param sentBytesPerSecond what WireGuard sends to the peer; undefined: not known */
export function linkUse(inUse: boolean, sentBytesPerSecond: number | undefined): LinkUse {
  if ((sentBytesPerSecond ?? 0) > BUSY_BYTES_PER_SECOND) return 'busy';
  return inUse ? 'watched' : 'idle';
}
