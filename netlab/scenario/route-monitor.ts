/** Counts what the kernel of each host reports about our routes, next hops and rules (`ip monitor`). */
import type { Clock } from '../../protocol/clock.ts';
import { HostProgram, type RunLab } from './run-lab.ts';
import type { TimeWindow } from './scenario.ts';

export interface RouteTouch {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly what: string;
  /** A next-hop object, which local repair replaces while routes stay. */
  readonly isNextHop: boolean;
}

/** Protocol 84 and tables 8400 to 8402: overlay/overlay-state.ts. */
const OURS = /\bproto 84\b|\btable 840[0-2]\b|\blookup 840[0-2]\b/;

/**
 * `[2026-01-31T12:00:00.123456] 100.96.0.3 nhid 1 table 8400 proto 84`: one of ours; else null. Lines that start with a
 * tab belong to the line before.
 */
export function parseRouteTouch(line: string): RouteTouch | null {
  const match = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d*\] (.*)$/.exec(line);
  if (match === null || !OURS.test(match[2] ?? '')) return null;
  const what = (match[2] ?? '').trim();
  return { atMs: Date.parse(`${match[1]}Z`), what, isNextHop: /^(Deleted )?id /.test(what) };
}

export class RouteMonitor {
  readonly #programs = new Map<string, HostProgram>();

  constructor(lab: RunLab, clock: Clock, hosts: readonly string[]) {
    const argv = ['env', 'TZ=UTC', 'LC_ALL=C', 'ip', '-ts', 'monitor', 'nexthop', 'route', 'rule'];
    for (const host of hosts) this.#programs.set(host, new HostProgram(lab, clock, host, argv));
  }

  /** Touches on a host in a window of milliseconds after `originMs` (since 1970). */
  touches(host: string, originMs: number, window: TimeWindow): RouteTouch[] {
    const all = (this.#programs.get(host)?.lines ?? []).flatMap((line) => parseRouteTouch(line) ?? []);
    return all.filter(({ atMs }) => atMs - originMs >= window.fromMs && atMs - originMs < window.toMs);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.stop('SIGTERM', 2_000)));
  }
}
