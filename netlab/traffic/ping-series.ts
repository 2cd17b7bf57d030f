/** iputils ping as a source of round-trip times: its command line and its output. */
import type { TimeWindow } from '../scenario/scenario.ts';

export interface PingOptions {
  readonly address: string;
  readonly family: 4 | 6;
  readonly intervalMs: number;
  /** Null: until a signal ends it. */
  readonly count: number | null;
  /** Give up this long after the start, whatever came. */
  readonly deadlineS: number;
}

/** `-D` time stamps, `-O` says at once when an answer is missing, `-n` asks no name server. */
export function pingArgv(options: PingOptions): string[] {
  return [
    'ping',
    options.family === 6 ? '-6' : '-4',
    '-n',
    '-D',
    '-O',
    '-i',
    `${options.intervalMs / 1_000}`,
    '-W',
    '2',
    '-w',
    `${Math.max(1, Math.ceil(options.deadlineS))}`,
    ...(options.count === null ? [] : ['-c', `${options.count}`]),
    options.address,
  ];
}

export interface PingReply {
  /** Milliseconds since 1970, when the answer came. */
  readonly atMs: number;
  readonly sequence: number;
  readonly rttUs: number;
}

/** `[1700000000.123456] 64 bytes from 100.96.0.2: icmp_seq=1 ttl=64 time=12.9 ms`; duplicates and all else: null. */
export function parsePingReply(line: string): PingReply | null {
  const match = /^\[(\d+\.\d+)\] \d+ bytes from .*icmp_seq=(\d+) .*time=([\d.]+) ms$/.exec(line);
  if (match === null) return null;
  return { atMs: Number(match[1]) * 1_000, sequence: Number(match[2]), rttUs: Number(match[3]) * 1_000 };
}

/**
 * Replies and the summary line of a whole output. With a deadline ping ends when it has `count` replies, and has sent on until
 * then: what it sent after the newest one that was answered is not in `sent`, since nobody waited for it.
 */
export function parsePing(
  output: string,
  count: number | null = null,
): { readonly sent: number; readonly replies: readonly PingReply[] } {
  const replies = output.split('\n').flatMap((line) => parsePingReply(line) ?? []);
  const sent = /^(\d+) packets transmitted/m.exec(output);
  const highest = replies.reduce((max, reply) => Math.max(max, reply.sequence), 0);
  const hasAll = count !== null && replies.length >= count;
  return { sent: sent === null || hasAll ? highest : Number(sent[1]), replies };
}

/** Replies that came in a window of milliseconds after `originMs` (since 1970). */
export function repliesIn(replies: readonly PingReply[], originMs: number, window: TimeWindow | null): PingReply[] {
  if (window === null) return [...replies];
  return replies.filter(({ atMs }) => atMs - originMs >= window.fromMs && atMs - originMs < window.toMs);
}
