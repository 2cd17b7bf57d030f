/** One flow of a scenario: its sink and its source as programs in two hosts. */
import type { Clock } from '../../protocol/clock.ts';
import { programFile } from '../../protocol/program-file.ts';
import type { FlowResult, SinkReport, SourceReport } from '../traffic/traffic-report.ts';
import { flowResult } from '../traffic/traffic-report.ts';
import { HostProgram, type RunLab } from './run-lab.ts';
import type { ScenarioFlow, TimeWindow } from './scenario.ts';

/** A port of ours per flow, clear of the overlay's and of the ephemeral range. */
const FIRST_PORT = 9_000;
/** A Node program on a busy machine takes this long at most until it listens. */
const START_MS = 15_000;
/** The sink waits 2 s for packets in flight; then it has to write its report. */
const REPORT_MS = 10_000;

export interface FlowRunDeps {
  readonly lab: RunLab;
  readonly clock: Clock;
}

export class FlowRun {
  readonly flow: ScenarioFlow;
  /** What went wrong; null while nothing did. */
  problem: string | null = null;
  readonly #deps: FlowRunDeps;
  readonly #number: number;
  #sink: HostProgram | undefined;
  #source: HostProgram | undefined;
  #startMonoNs = 0n;
  #reports: { readonly source: SourceReport; readonly sink: SinkReport } | undefined;

  constructor(deps: FlowRunDeps, flow: ScenarioFlow, number: number) {
    this.#deps = deps;
    this.flow = flow;
    this.#number = number;
  }

  /** Resolves when the sink listens. */
  async startSink(): Promise<void> {
    const { lab, clock } = this.#deps;
    const seconds = Math.ceil((this.flow.toMs - this.flow.fromMs) / 1_000) + 120;
    this.#sink = new HostProgram(lab, clock, this.flow.to, [
      process.execPath,
      programFile('netlab/traffic/traffic-sink-program'),
      ...['--port', `${FIRST_PORT + this.#number}`, '--flow', `${this.#number}`],
      ...['--family', `${this.flow.family}`, '--max-seconds', `${seconds}`],
    ]);
    if ((await this.#sink.json<boolean>('ready', START_MS)) !== true)
      this.problem = `no sink listens on ${this.flow.to}`;
  }

  /** The source sends its first packet at `startMonoNs` (hrtime), or as soon as it runs. */
  startSource(address: string, startMonoNs: bigint): void {
    const { lab, clock } = this.#deps;
    const total = Math.max(1, Math.floor(((this.flow.toMs - this.flow.fromMs) / 1_000) * this.flow.packetsPerSecond));
    this.#startMonoNs = startMonoNs;
    this.#source = new HostProgram(lab, clock, this.flow.from, [
      process.execPath,
      programFile('netlab/traffic/traffic-source-program'),
      ...['--to', address, '--port', `${FIRST_PORT + this.#number}`, '--flow', `${this.#number}`],
      ...['--rate', `${this.flow.packetsPerSecond}`, '--size', `${this.flow.sizeBytes}`],
      ...['--total', `${total}`, '--start-mono-ns', `${startMonoNs}`],
    ]);
  }

  /** Ends the source if it still sends, waits for what is in flight, and keeps both reports. */
  async finish(): Promise<void> {
    await this.#source?.stop('SIGTERM', REPORT_MS);
    await this.#sink?.stop('SIGTERM', REPORT_MS);
    const source = await this.#source?.json<SourceReport>('report', 0);
    const sink = await this.#sink?.json<SinkReport>('report', 0);
    if (source !== undefined && sink !== undefined) this.#reports = { source, sink };
    else
      this.problem ??= `the ${source === undefined ? `source on ${this.flow.from}` : `sink on ${this.flow.to}`} left no report`;
  }

  /** What both programs wrote; undefined until `finish`. */
  get reports(): { readonly source: SourceReport; readonly sink: SinkReport } | undefined {
    return this.#reports;
  }

  /** Ends both at once, without reports. Idempotent. */
  async abandon(): Promise<void> {
    await Promise.all([this.#source?.stop('SIGKILL', 1_000), this.#sink?.stop('SIGKILL', 1_000)]);
  }

  /** `window` in scenario time; null: all of it. Undefined while there are no reports. */
  result(window: TimeWindow | null): FlowResult | undefined {
    if (this.#reports === undefined) return undefined;
    const { fromMs } = this.flow;
    const own = window === null ? null : { fromMs: window.fromMs - fromMs, toMs: window.toMs - fromMs };
    const schedule = { startMonoNs: this.#startMonoNs, packetsPerSecond: this.flow.packetsPerSecond };
    return flowResult(this.#reports.source, this.#reports.sink, schedule, own);
  }
}
