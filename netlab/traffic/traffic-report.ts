/** What the two traffic programs report, and what both together say about a flow in a window of time. */
import type { TallyReport } from './flow-tally.ts';

export interface SourceReport {
  /** Packets that were due and handed to the kernel; the kernel may have refused some of them. */
  readonly sent: number;
  /** Refusals by errno, e.g. ENETUNREACH while there is no route. */
  readonly refused: Readonly<Record<string, number>>;
  readonly firstAtMonoNs: string | null;
  readonly lastAtMonoNs: string | null;
  /** How late the latest packet left against the schedule. */
  readonly worstLatenessMs: number;
}

export interface SinkReport extends TallyReport {
  /** Datagrams that were not of this flow. */
  readonly foreign: number;
  /** Datagrams that the kernel dropped because the sink was too slow: the sink's fault, not the path's. */
  readonly sinkDropped: number;
}

export interface FlowSchedule {
  readonly startMonoNs: bigint;
  readonly packetsPerSecond: number;
}

/** Milliseconds after the flow's start. */
export interface FlowWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface FlowResult {
  readonly sent: number;
  readonly received: number;
  /** Sent, refused by the sender's kernel included, and never received; less what the sink itself dropped. */
  readonly lost: number;
  readonly refused: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly sinkDropped: number;
  /** Longest time without a packet while some were due, microseconds. Null: nothing was sent. */
  readonly outageUs: number | null;
  /** One-way delay over the whole flow; percentiles are at most 1.6 % too high. */
  readonly delayP50Us: number | null;
  readonly delayP99Us: number | null;
  readonly delayMaxUs: number | null;
}

/**
 * The flow as a whole, or the packets that were due in `window`. Duplicates, reordering, sink drops and delays are only known
 * for the whole flow and are reported so in either case.
 */
export function flowResult(
  source: SourceReport,
  sink: SinkReport,
  schedule: FlowSchedule,
  window: FlowWindow | null,
): FlowResult {
  const rate = schedule.packetsPerSecond / 1_000;
  const first = window === null ? 0 : Math.max(0, Math.ceil(window.fromMs * rate));
  const end = window === null ? source.sent : Math.min(source.sent, Math.max(first, Math.ceil(window.toMs * rate)));
  const tail: [number, number] = [sink.highestSequence + 1, Math.max(0, source.sent - sink.highestSequence - 1)];
  let missing = 0;
  for (const [from, count] of [...sink.missing, tail]) {
    missing += Math.max(0, Math.min(end, from + count) - Math.max(first, from));
  }
  // Too many gaps to list: the whole flow is still known exactly, a part of it only as at least what is listed.
  if (sink.missingTruncated && window === null) missing = source.sent - sink.received;
  const sent = Math.max(0, end - first);
  const lost = Math.max(0, missing - sink.sinkDropped);
  const refused = Object.values(source.refused).reduce((sum, count) => sum + count, 0);
  const seconds = sink.seconds.filter((second) => overlaps(second.atMonoNs, schedule.startMonoNs, window));
  const longestGapUs = seconds.reduce((longest, second) => Math.max(longest, second.longestGapUs), 0);
  return {
    sent,
    received: sent - missing,
    lost,
    refused,
    duplicated: sink.duplicated,
    reordered: sink.reordered,
    sinkDropped: sink.sinkDropped,
    outageUs: sent === 0 ? null : outageUs(source, sink, schedule, window, longestGapUs),
    delayP50Us: sink.delay.p50Us,
    delayP99Us: sink.delay.p99Us,
    delayMaxUs: sink.delay.maxUs,
  };
}

/** Gaps between packets, and those before the first that came and after the last. */
function outageUs(
  source: SourceReport,
  sink: SinkReport,
  schedule: FlowSchedule,
  window: FlowWindow | null,
  betweenUs: number,
): number {
  const startNs = schedule.startMonoNs + BigInt(Math.round((window?.fromMs ?? 0) * 1e6));
  const lastSentNs = BigInt(source.lastAtMonoNs ?? schedule.startMonoNs);
  const windowEndNs = window === null ? lastSentNs : schedule.startMonoNs + BigInt(Math.round(window.toMs * 1e6));
  const endNs = windowEndNs < lastSentNs ? windowEndNs : lastSentNs;
  if (sink.firstAtMonoNs === null || sink.lastAtMonoNs === null) return usBetween(startNs, endNs);
  const headNs = BigInt(sink.firstAtMonoNs) < endNs ? BigInt(sink.firstAtMonoNs) : endNs;
  const tailNs = BigInt(sink.lastAtMonoNs) > startNs ? BigInt(sink.lastAtMonoNs) : startNs;
  return Math.max(betweenUs, usBetween(startNs, headNs), usBetween(tailNs, endNs));
}

function usBetween(fromNs: bigint, toNs: bigint): number {
  return Math.max(0, Number(toNs - fromNs) / 1_000);
}

function overlaps(secondNs: string, startNs: bigint, window: FlowWindow | null): boolean {
  if (window === null) return true;
  const atMs = Number(BigInt(secondNs) - startNs) / 1e6;
  return atMs + 1_000 > window.fromMs && atMs < window.toMs;
}
