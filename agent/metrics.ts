/**
 * The agent's metrics (Prometheus text format), all named thalweg_agent_*. Gauges are read from a snapshot when they
 * are scraped, so measuring costs nothing in between. Labels are bounded: per-peer series exist only in small meshes.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LinkSummary, ProbeCounters } from '../overlay/stamp/prober.ts';
import { SOFTWARE_VERSION } from '../protocol/version.ts';
import type { ConnectionState } from './core-connection.ts';
import type { PolicySnapshot } from './policy-keeper.ts';

/** Above this many peers the per-peer series are left out: at a million devices they would be the fleet squared. */
export const MAX_LABELLED_PEERS = 64;

export interface PeerSnapshot {
  readonly name: string;
  readonly link: LinkSummary | undefined;
  readonly handshakeAgeS: number | null;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** What the gauges show, at one moment. */
export interface AgentSnapshot {
  readonly peers: readonly PeerSnapshot[];
  readonly tableGeneration: bigint;
  readonly tableRows: number;
  /** Seconds since the core last confirmed the table by a frame; null: it never did, in the agent's memory. */
  readonly tableAgeS: number | null;
  readonly repairedRows: number;
  readonly policy: PolicySnapshot;
  readonly sessionState: ConnectionState;
  readonly eventLoopLagMs: number;
  readonly proberLagMs: number;
  /** The core's clock less this device's; null: never heard. */
  readonly coreClockSkewMs: number | null;
}

const STATES: readonly ConnectionState[] = ['connecting', 'established', 'waiting', 'stopped'];

export class AgentMetrics {
  readonly registry = new Registry();
  #snapshot: (() => AgentSnapshot) | undefined;
  #probes: ProbeCounters | undefined;
  readonly #registers = { registers: [this.registry] };

  readonly #reconnects = new Counter({
    name: 'thalweg_agent_reconnects_total',
    help: 'Connections to the core that failed and sessions that ended, by reason.',
    labelNames: ['reason'],
    ...this.#registers,
  });
  readonly #applies = new Counter({
    name: 'thalweg_agent_applies_total',
    help: 'Comparisons of the wanted state with the kernel: unchanged, changed, or an error code.',
    labelNames: ['result'],
    ...this.#registers,
  });
  readonly #applySeconds = new Histogram({
    name: 'thalweg_agent_apply_duration_seconds',
    help: 'Time to read the kernel, compare and change it.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    ...this.#registers,
  });
  readonly #foreignRepairs = new Counter({
    name: 'thalweg_agent_foreign_repairs_total',
    help: 'Changes made to undo what something else did to kernel state of ours.',
    ...this.#registers,
  });
  readonly #localRepairs = new Counter({
    name: 'thalweg_agent_local_repairs_total',
    help: 'Times that the set of neighbours found down by own probes changed.',
    ...this.#registers,
  });
  readonly #storeFailures = new Counter({
    name: 'thalweg_agent_table_write_failures_total',
    help: 'Times the table could not be remembered on disk, by error code.',
    labelNames: ['code'],
    ...this.#registers,
  });
  readonly #probesSent = new Counter({
    name: 'thalweg_agent_probes_sent_total',
    help: 'STAMP test packets sent.',
    ...this.#registers,
  });
  readonly #probesReceived = new Counter({
    name: 'thalweg_agent_probes_received_total',
    help: 'STAMP replies that matched a probe.',
    ...this.#registers,
  });
  readonly #probesReflected = new Counter({
    name: 'thalweg_agent_probes_reflected_total',
    help: 'STAMP test packets of peers that were answered.',
    ...this.#registers,
  });
  readonly #probesDropped = new Counter({
    name: 'thalweg_agent_probes_dropped_total',
    help: 'Packets and samples that the prober dropped, by reason.',
    labelNames: ['reason'],
    ...this.#registers,
  });

  readonly #linkDoubts = new Counter({
    name: 'thalweg_agent_link_doubts_total',
    help: 'Times that answers on a link in use were overdue and a burst of probes was sent.',
    ...this.#registers,
  });
  readonly #linksLost = new Counter({
    name: 'thalweg_agent_links_lost_total',
    help: 'Times that a burst had no answer and a link in use was given up.',
    ...this.#registers,
  });

  constructor() {
    const info = new Gauge({
      name: 'thalweg_agent_build_info',
      help: 'Always 1; the version is the label.',
      labelNames: ['version'],
      ...this.#registers,
    });
    info.set({ version: SOFTWARE_VERSION }, 1);
    this.#gauge('thalweg_agent_peers', 'Peers with a WireGuard session configured.', (s) => s.peers.length);
    this.#gauge('thalweg_agent_table_generation', 'Generation of the route table held.', (s) =>
      Number(s.tableGeneration),
    );
    this.#gauge('thalweg_agent_table_rows', 'Rows of the route table held.', (s) => s.tableRows);
    this.#gauge('thalweg_agent_table_age_seconds', 'Time since the core last confirmed the table.', (s) => s.tableAgeS);
    this.#gauge(
      'thalweg_agent_repaired_rows',
      'Rows that forward by a backup because a neighbour is down.',
      (s) => s.repairedRows,
    );
    this.#gauge('thalweg_agent_policy_enforced', '1: what the policy does not allow is dropped; 0: no policy.', (s) =>
      Number(s.policy.active),
    );
    this.#gauge('thalweg_agent_policy_generation', 'Generation of the policy that the kernel enforces.', (s) =>
      Number(s.policy.generation),
    );
    this.#gauge('thalweg_agent_policy_rules', 'Rules of the policy by which this node lets in.', (s) => s.policy.rules);
    this.#total(
      'thalweg_agent_policy_denied_packets_total',
      'Packets that the policy dropped.',
      (s) => s.policy.denied.packets,
    );
    this.#total(
      'thalweg_agent_policy_denied_bytes_total',
      'Bytes that the policy dropped.',
      (s) => s.policy.denied.bytes,
    );
    this.#gauge(
      'thalweg_agent_event_loop_lag_seconds',
      'Largest event-loop lag of the main thread lately.',
      (s) => s.eventLoopLagMs / 1000,
    );
    this.#gauge(
      'thalweg_agent_prober_lag_seconds',
      'Largest event-loop lag of the prober thread lately.',
      (s) => s.proberLagMs / 1000,
    );
    this.#gauge('thalweg_agent_core_clock_skew_seconds', "The core's clock less this device's.", (s) =>
      s.coreClockSkewMs === null ? null : s.coreClockSkewMs / 1000,
    );
    this.#stateGauge();
    this.#linkGauges();
    this.#byteCounters();
    processMetrics(this.registry);
  }

  /** Where the gauges read from. */
  observe(snapshot: () => AgentSnapshot): void {
    this.#snapshot = snapshot;
  }

  reconnected(reason: string): void {
    this.#reconnects.inc({ reason });
  }

  applied(result: string, durationMs: number, foreignRepairs: number): void {
    this.#applies.inc({ result });
    this.#applySeconds.observe(durationMs / 1000);
    if (foreignRepairs > 0) this.#foreignRepairs.inc(foreignRepairs);
  }

  repairedLocally(): void {
    this.#localRepairs.inc();
  }

  tableWriteFailed(code: string): void {
    this.#storeFailures.inc({ code });
  }

  /** The prober's counters since its start; one that went back means a new prober. */
  probed(now: ProbeCounters): void {
    const before = this.#probes;
    this.#probesSent.inc(increase(before?.sent, now.sent));
    this.#probesReceived.inc(increase(before?.received, now.received));
    this.#probesReflected.inc(increase(before?.reflected, now.reflected));
    this.#linkDoubts.inc(increase(before?.doubts, now.doubts));
    this.#linksLost.inc(increase(before?.lost, now.lost));
    for (const [reason, count] of Object.entries(now.dropped)) {
      this.#probesDropped.inc({ reason }, increase(before?.dropped[reason], count));
    }
    this.#probes = now;
  }

  #gauge(name: string, help: string, read: (snapshot: AgentSnapshot) => number | null): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      ...this.#registers,
      collect: () => {
        const value = this.#snapshot === undefined ? null : read(this.#snapshot());
        gauge.set(value ?? Number.NaN);
      },
    });
  }

  /** What is counted elsewhere, and only rises. */
  #total(name: string, help: string, read: (snapshot: AgentSnapshot) => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      ...this.#registers,
      collect: () => {
        counter.reset();
        counter.inc(this.#snapshot === undefined ? 0 : read(this.#snapshot()));
      },
    });
  }

  #stateGauge(): void {
    const gauge: Gauge<'state'> = new Gauge({
      name: 'thalweg_agent_session_state',
      help: '1 for the state that the session with the core is in.',
      labelNames: ['state'],
      ...this.#registers,
      collect: () => {
        const now = this.#snapshot?.().sessionState;
        for (const state of STATES) gauge.set({ state }, state === now ? 1 : 0);
      },
    });
  }

  #peerGauge(name: string, help: string, read: (peer: PeerSnapshot) => number | null): void {
    const gauge: Gauge<'peer'> = new Gauge({
      name,
      help,
      labelNames: ['peer'],
      ...this.#registers,
      collect: () => {
        gauge.reset();
        for (const peer of this.#labelledPeers()) {
          const value = read(peer);
          // What was not measured has no sample: missing is not a number.
          if (value !== null) gauge.set({ peer: peer.name }, value);
        }
      },
    });
  }

  #linkGauges(): void {
    const seconds = (us: number | null | undefined): number | null =>
      us === null || us === undefined ? null : us / 1e6;
    const ratio = (ppm: number | null | undefined): number | null =>
      ppm === null || ppm === undefined ? null : ppm / 1e6;
    this.#peerGauge('thalweg_agent_link_rtt_seconds', 'Smoothed round-trip time.', (p) => seconds(p.link?.rttUs));
    this.#peerGauge('thalweg_agent_link_jitter_seconds', 'Delay variation of round trips.', (p) =>
      seconds(p.link?.jitterUs),
    );
    this.#peerGauge('thalweg_agent_link_loss_out_ratio', 'Loss from this node to the peer.', (p) =>
      ratio(p.link?.lossOutPpm),
    );
    this.#peerGauge('thalweg_agent_link_loss_in_ratio', 'Loss from the peer to this node.', (p) =>
      ratio(p.link?.lossInPpm),
    );
    this.#peerGauge('thalweg_agent_link_up', '1 when probes come back, 0 when they do not.', (p) =>
      p.link === undefined || p.link.health === 'unmeasured' ? null : Number(p.link.health === 'up'),
    );
    this.#peerGauge(
      'thalweg_agent_handshake_age_seconds',
      'Age of the last WireGuard handshake.',
      (p) => p.handshakeAgeS,
    );
  }

  #byteCounters(): void {
    const counter = (name: string, help: string, read: (peer: PeerSnapshot) => number): void => {
      const series: Counter<'peer'> = new Counter({
        name,
        help,
        labelNames: ['peer'],
        ...this.#registers,
        collect: () => {
          series.reset();
          for (const peer of this.#labelledPeers()) series.inc({ peer: peer.name }, read(peer));
        },
      });
    };
    counter(
      'thalweg_agent_peer_received_bytes_total',
      'Bytes that came from the peer over WireGuard.',
      (p) => p.receivedBytes,
    );
    counter('thalweg_agent_peer_sent_bytes_total', 'Bytes sent to the peer over WireGuard.', (p) => p.sentBytes);
  }

  #labelledPeers(): readonly PeerSnapshot[] {
    const peers = this.#snapshot?.().peers ?? [];
    return peers.length > MAX_LABELLED_PEERS ? [] : peers;
  }
}

function increase(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}

/** The conventional process metrics; prom-client's own set has names that `promtool check metrics` objects to. */
function processMetrics(registry: Registry): void {
  const registers = [registry];
  const memory: Gauge = new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory size in bytes.',
    registers,
    collect: () => memory.set(process.memoryUsage.rss()),
  });
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
}
