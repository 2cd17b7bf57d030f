/** What this node tells the core of its own accord: its links and what it sends to whom, at the core's pace. */
import type { Overlay } from '../overlay/overlay-state.ts';
import type { Clock, Timer } from '../protocol/clock.ts';
import { type AgentBody, MAX_DEMANDS_PER_REPORT } from '../protocol/frame-codec.ts';
import type { Welcome } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { DemandMeter, largest } from './demand-meter.ts';
import type { LinkWatch } from './link-watch.ts';
import type { NodePlace } from './node-place.ts';

export interface CoreReportsDeps {
  readonly clock: Clock;
  readonly overlay: Pick<Overlay, 'demandCounters'>;
  readonly links: Pick<LinkWatch, 'takeReport' | 'resetReports'>;
  readonly place: NodePlace;
  /** There is a session to send on. */
  readonly established: () => boolean;
  readonly send: (body: AgentBody) => void;
}

/** Paces of the core's that would cost a device more than they tell are not followed. */
const MIN_FULL_REPORT_INTERVAL_MS = 200;
const MIN_DEMAND_INTERVAL_MS = 1000;
/** A storm of changes makes ten frames a second, and none of them waits long enough to delay a repair that counts. */
const REPORT_FLOOR_MS = 100;

export class CoreReports {
  readonly #deps: CoreReportsDeps;
  readonly #demand = new DemandMeter();
  #fullIntervalMs = 5000;
  #demandIntervalMs = 5000;
  #toldDemand = false;
  #sentAtMonoMs = Number.NEGATIVE_INFINITY;
  #postponed: Timer | undefined;

  constructor(deps: CoreReportsDeps) {
    this.#deps = deps;
  }

  get demandIntervalMs(): number {
    return this.#demandIntervalMs;
  }

  /** A session began: takes its paces and tells the core everything. */
  sessionBegan({ reportIntervalMs, demandIntervalMs }: Pick<Welcome, 'reportIntervalMs' | 'demandIntervalMs'>): void {
    if (reportIntervalMs > 0) this.#fullIntervalMs = Math.max(MIN_FULL_REPORT_INTERVAL_MS, reportIntervalMs);
    if (demandIntervalMs > 0) this.#demandIntervalMs = Math.max(MIN_DEMAND_INTERVAL_MS, demandIntervalMs);
    this.#deps.links.resetReports();
    this.#sentAtMonoMs = Number.NEGATIVE_INFINITY;
    this.reportLinks();
  }

  /** Links were measured anew: sends what is due, at once or when the floor allows it. */
  reportLinks(): void {
    const { clock, links, established, send } = this.#deps;
    if (!established() || this.#postponed !== undefined) return;
    const waitMs = this.#sentAtMonoMs + REPORT_FLOOR_MS - clock.monoMs();
    if (waitMs > 0) {
      this.#postponed = clock.after(waitMs, () => {
        this.#postponed = undefined;
        this.reportLinks();
      });
      return;
    }
    const measurements = links.takeReport(this.#fullIntervalMs);
    if (measurements.length === 0) return;
    this.#sentAtMonoMs = clock.monoMs();
    send({ case: 'linkReport', value: { links: measurements } });
  }

  async reportDemand(): Promise<void> {
    const { clock, overlay, send } = this.#deps;
    const counters = await overlay.demandCounters();
    const measured = this.#demand.measure(counters, (address) => this.#otherNode(address), clock.monoMs());
    if (measured === undefined) return;
    const demands = largest(measured, MAX_DEMANDS_PER_REPORT).map(({ peerIndex, bytesPerSecond }) => ({
      peerIndex,
      bytesPerSecond: BigInt(bytesPerSecond),
    }));
    // that nothing is sent any more is worth saying once
    if (demands.length > 0 || this.#toldDemand) send({ case: 'demandReport', value: { demands } });
    this.#toldDemand = demands.length > 0;
  }

  /** A node need not be a peer to be sent to. */
  #otherNode(address: string): number | undefined {
    const { ranges, identity } = this.#deps.place;
    const index = ranges.indexOfNodeAddress(address);
    return index === identity.index ? undefined : index;
  }

  /** Idempotent. */
  stop(): void {
    this.#postponed?.cancel();
  }
}
