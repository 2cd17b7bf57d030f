/** One flow of the comparison, from host to host, and the clock that its events are written down in. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { namespaceName } from '../../netlab/host-plan.ts';
import type { Lab } from '../../netlab/lab.ts';
import { namespacePath } from '../../netlab/namespace.ts';
import { processesInNamespace } from '../../netlab/process-record.ts';
import { FlowRun } from '../../netlab/scenario/flow-run.ts';
import { systemClock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { type Disturbance, reckonDisturbance } from './outage-reckoning.ts';
import { TRAFFIC_PORTS } from './traffic-ports.ts';

/** Longer than any run; the flow is ended when it has told what it was sent for. */
const LONGEST_MS = 7_000_000;
/** Until the source has started: a Node program on a busy machine. */
const LEAD_MS = 1_500;
const SIZE_BYTES = 200;
/** Arrivals are looked at this often. */
const LOOK_MS = 100;

export class MeasuredFlow {
  readonly packetsPerSecond: number;
  readonly #run: FlowRun;
  readonly #startNs: bigint;
  readonly #receiver: string;
  /** Some process of the receiving host. */
  #witness: number | undefined;

  private constructor(run: FlowRun, startNs: bigint, receiver: string) {
    this.#run = run;
    this.#startNs = startNs;
    this.#receiver = receiver;
    this.packetsPerSecond = run.flow.packetsPerSecond;
  }

  /** Resolves when the first packets are due. */
  static async start(
    lab: Lab,
    flow: { readonly from: string; readonly to: string; readonly address: string; readonly packetsPerSecond: number },
    number: number,
  ): Promise<MeasuredFlow> {
    const { from, to, packetsPerSecond } = flow;
    const shape = { name: 'flow', from, to, packetsPerSecond, sizeBytes: SIZE_BYTES, family: 4 as const };
    const ports = TRAFFIC_PORTS.last - TRAFFIC_PORTS.first + 1;
    const run = new FlowRun({ lab, clock: systemClock }, { ...shape, fromMs: 0, toMs: LONGEST_MS }, number % ports);
    await run.startSink();
    const startNs = process.hrtime.bigint() + BigInt(LEAD_MS * 1e6);
    run.startSource(flow.address, startNs);
    await pause(LEAD_MS);
    return new MeasuredFlow(run, startNs, namespacePath(namespaceName(lab.name, to)));
  }

  /** Milliseconds after the flow's start. */
  get nowMs(): number {
    return Number(process.hrtime.bigint() - this.#startNs) / 1e6;
  }

  /**
   * Resolves with true once at least `share` of what is sent has arrived for `forMs`, and with false when that has not been
   * so within `withinMs`.
   */
  async untilArriving(share: number, forMs: number, withinMs: number): Promise<boolean> {
    const deadline = this.nowMs + withinMs;
    let [since, before] = [this.nowMs, this.#datagrams()];
    while (this.nowMs < deadline) {
      const from = this.nowMs;
      await pause(LOOK_MS);
      const now = this.#datagrams();
      const due = ((this.nowMs - from) / 1_000) * this.packetsPerSecond;
      // the two clocks are read one after the other: a packet more or less is neither here nor there
      if (now - before < share * due - 2) since = this.nowMs;
      before = now;
      if (this.nowMs - since >= forMs) return true;
    }
    return false;
  }

  /** Ends the flow; after that windows can be reckoned. Throws command_failed when a program of it left no report. */
  async finish(): Promise<void> {
    await this.#run.finish();
    if (this.#run.problem !== null) throw new ThalwegError('command_failed', this.#run.problem);
  }

  async abandon(): Promise<void> {
    await this.#run.abandon();
  }

  disturbance(fromMs: number, toMs: number): Disturbance | null {
    const reports = this.#run.reports;
    if (reports === undefined) return null;
    const schedule = { startMonoNs: this.#startNs, packetsPerSecond: this.packetsPerSecond };
    return reckonDisturbance(reports, schedule, { fromMs, toMs });
  }

  /** UDP datagrams that programs of the receiving host were given, read without starting anything there. */
  #datagrams(): number {
    this.#witness ??= processesInNamespace(this.#receiver)[0]?.pid;
    try {
      return udpDatagramsIn(readFileSync(`/proc/${this.#witness}/net/snmp`, 'latin1'));
    } catch {
      this.#witness = undefined; // it ended: ask another next time
      return 0;
    }
  }
}

/** `InDatagrams` of the text of /proc/net/snmp, whose `Udp:` lines are names, then values. 0 where there are none. */
export function udpDatagramsIn(snmp: string): number {
  const [names = '', values = ''] = snmp.split('\n').filter((line) => line.startsWith('Udp: '));
  const column = names.split(' ').indexOf('InDatagrams');
  return column < 0 ? 0 : Number(values.split(' ')[column] ?? 0);
}
