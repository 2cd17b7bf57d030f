/** One ping series of a scenario: a pair for a window of time, or every ordered pair in turn. */
import type { Clock } from '../../protocol/clock.ts';
import { type PingReply, parsePing, parsePingReply, pingArgv } from '../traffic/ping-series.ts';
import { deadline, HostProgram, type RunLab } from './run-lab.ts';
import { type Direction, pairKey, type ScenarioPing } from './scenario.ts';

export interface PingRunDeps {
  readonly lab: RunLab;
  readonly clock: Clock;
  /** The node address of a host; undefined while it has not joined. */
  readonly address: (host: string, family: 4 | 6) => string | undefined;
  readonly onReply: (pair: Direction, rttUs: number) => void;
}

export interface PairReplies extends Direction {
  readonly sent: number;
  readonly replies: readonly PingReply[];
}

/** The longest round trip that still counts, after the last request. */
const LAST_REPLY_MS = 2_500;

export class PingRun {
  readonly ping: ScenarioPing;
  readonly results = new Map<string, PairReplies>();
  readonly problems: string[] = [];
  readonly #deps: PingRunDeps;
  readonly #programs = new Set<HostProgram>();
  #stopped = false;

  constructor(deps: PingRunDeps, ping: ScenarioPing) {
    this.#deps = deps;
    this.ping = ping;
  }

  /** Runs to its end. `endMonoMs`: when its window is over. */
  async run(hosts: readonly string[], endMonoMs: number): Promise<void> {
    const { pairs } = this.ping;
    if (pairs !== 'all') return this.#pair(pairs, endMonoMs);
    await Promise.all(
      hosts.map(async (from, i) => {
        // each source starts with another destination, so that no host answers everybody at once
        for (let step = 1; step < hosts.length; step++) {
          const to = hosts[(i + step) % hosts.length] ?? from;
          if (this.#stopped || this.#deps.clock.monoMs() >= endMonoMs)
            this.problems.push(`no time for ${from} -> ${to}`);
          else await this.#pair({ from, to }, endMonoMs);
        }
      }),
    );
  }

  /** Ends what runs; results up to then stay. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#programs].map((program) => program.stop('SIGINT', 3_000)));
  }

  async #pair(pair: Direction, endMonoMs: number): Promise<void> {
    const { lab, clock } = this.#deps;
    const address = this.#deps.address(pair.to, this.ping.family);
    if (address === undefined) {
      this.problems.push(`${pair.to} has no address yet`);
      return;
    }
    const leftMs = endMonoMs - clock.monoMs();
    const fits = Math.max(1, Math.floor(leftMs / this.ping.intervalMs));
    const count = Math.min(this.ping.count ?? fits, fits);
    const lastsMs = count * this.ping.intervalMs + LAST_REPLY_MS;
    const { family, intervalMs } = this.ping;
    const argv = pingArgv({ address, family, intervalMs, count, deadlineS: lastsMs / 1_000 });
    const program = new HostProgram(lab, clock, pair.from, argv);
    this.#programs.add(program);
    program.onLine((line) => {
      const reply = parsePingReply(line);
      if (reply !== null) this.#deps.onReply(pair, reply.rttUs);
    });
    await deadline(clock, lastsMs + LAST_REPLY_MS, program.ended(lastsMs + LAST_REPLY_MS));
    await program.stop('SIGINT', 2_000);
    this.#programs.delete(program);
    this.results.set(pairKey(pair.from, pair.to), { ...pair, ...parsePing(program.lines.join('\n'), count) });
  }
}

/** Round-trip times of a pair, microseconds. */
export function pairRtts({ replies }: PairReplies): number[] {
  return replies.map((reply) => reply.rttUs);
}
