/** Every metric of the core, declared in one place: base units, bounded labels, a registry of its own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { SOFTWARE_VERSION } from '../protocol/version.ts';

/** From a fraction of a millisecond (a step with nothing to do) to what would be felt (seconds). */
const COMPUTE_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** A push is at least one round trip and one kernel batch. */
const PUSH_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** prom-client's gauges that end in `_total`, which Prometheus keeps for counters; the same are there by type without it. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export class CoreMetrics {
  readonly registry = new Registry();
  readonly sessions = this.#gauge('thalweg_core_sessions', 'Agent sessions that are open.');
  readonly policyRules = this.#gauge('thalweg_core_policy_rules', 'Rules of the policy; 0: none, everything is open.');
  readonly policyDenied = this.#gauge(
    'thalweg_core_policy_denied_packets',
    'What nodes denied since their agents started.',
  );
  readonly policyNodes = this.#gauge('thalweg_core_policy_nodes', 'Nodes by what they do about the policy.', ['state']);
  readonly nodes = this.#gauge('thalweg_core_nodes', 'Nodes of the mesh, online or not.');
  readonly links = this.#gauge('thalweg_core_links', 'Directed links by state.', ['state']);
  readonly paths = this.#gauge('thalweg_core_paths', 'Ordered pairs of nodes by kind of path.', ['kind']);
  readonly backupCoverage = this.#gauge(
    'thalweg_core_backup_coverage_ratio',
    'Share of ordered pairs with a path whose source repairs by itself when its link fails (protection "link"), and of those with a detour also when the next hop fails ("node").',
    ['protection'],
  );
  readonly generation = this.#gauge('thalweg_core_generation', 'Newest generation of route tables.');
  readonly behindNodes = this.#gauge(
    'thalweg_core_behind_nodes',
    'Online nodes that have not acknowledged the newest table the core has for them.',
  );
  readonly oldestPushSeconds = this.#gauge(
    'thalweg_core_oldest_push_age_seconds',
    'Age of the oldest route delta that was sent and is not acknowledged; 0 when there is none.',
  );
  readonly caExpiry = this.#gauge(
    'thalweg_core_ca_expiry_timestamp_seconds',
    'When the CA certificate expires, seconds since 1970.',
  );
  readonly apiCertificateExpiry = this.#gauge(
    'thalweg_core_api_certificate_expiry_timestamp_seconds',
    'When the certificate of the API expires, seconds since 1970; 0: the API has none.',
  );
  readonly apiKeyExpiry = this.#gauge(
    'thalweg_core_api_key_next_expiry_timestamp_seconds',
    'When the first of the valid API keys expires, seconds since 1970; 0: none does.',
  );
  readonly joins = this.#counter(
    'thalweg_core_joins_total',
    'Join attempts by result: joined, rejoined, or an error code.',
    ['result'],
  );
  readonly sessionsClosed = this.#counter('thalweg_core_sessions_closed_total', 'Sessions that ended, by reason.', [
    'reason',
  ]);
  readonly handshakeFailures = this.#counter(
    'thalweg_core_handshake_failures_total',
    'Connections to the agent port that did not complete TLS or were not HTTP, by reason.',
    ['reason'],
  );
  readonly apiRefusals = this.#counter(
    'thalweg_core_api_refusals_total',
    'Requests to the API that were refused for who asked: no key, a key that is not taken, a role that is too small, too many.',
    ['reason'],
  );
  readonly pathChanges = this.#counter('thalweg_core_path_changes_total', 'Path changes by reason.', ['reason']);
  readonly frames = this.#counter('thalweg_core_frames_total', 'Frames of the agent streams.', ['type', 'direction']);
  readonly droppedFrames = this.#counter('thalweg_core_dropped_frames_total', 'Frames from agents that were refused.', [
    'reason',
  ]);
  readonly heldSessions = this.#gauge(
    'thalweg_core_held_sessions',
    'Agents whose connection this core holds for the one that steers.',
  );
  readonly relayLinks = this.#gauge(
    'thalweg_core_relay_links',
    'On the core that steers: cores that hold connections for it. On another one: 1 while it has a link to that core.',
  );
  readonly relayDropped = this.#counter(
    'thalweg_core_relay_dropped_total',
    'Packets and records between cores that were not used, by reason.',
    ['reason'],
  );
  readonly ignoredObservations = this.#counter(
    'thalweg_core_ignored_observations_total',
    'Link observations that steering did not believe, by reason.',
    ['reason'],
  );
  readonly sentBytes = this.#counter('thalweg_core_sent_bytes_total', 'Bytes of frames sent to agents.');
  readonly receivedBytes = this.#counter('thalweg_core_received_bytes_total', 'Bytes of frames received from agents.');
  readonly storeErrors = this.#counter('thalweg_core_store_errors_total', 'Store calls that failed, by error code.', [
    'code',
  ]);
  readonly spfSeconds = this.#histogram('thalweg_core_spf_seconds', 'Time of shortest-path runs.', COMPUTE_BUCKETS_S);
  readonly stepSeconds = this.#histogram('thalweg_core_step_seconds', 'Time of steering steps.', COMPUTE_BUCKETS_S);
  readonly pushSeconds = this.#histogram(
    'thalweg_core_push_seconds',
    'Time from sending a route delta to its acknowledgement.',
    PUSH_BUCKETS_S,
  );
  readonly storeSeconds = this.#histogram('thalweg_core_store_seconds', 'Time of durable commits.', COMPUTE_BUCKETS_S);
  readonly planPairs = this.#gauge(
    'thalweg_core_plan_pairs',
    'Pairs of nodes that hold a session, by what the session plan makes of them; none where every pair holds one.',
    ['role'],
  );
  readonly planBeyondBound = this.#gauge(
    'thalweg_core_plan_nodes_beyond_bound',
    'Nodes that the last session plan gave more sessions than the bound, so that the mesh holds together.',
  );
  readonly plans = this.#counter('thalweg_core_plans_total', 'Session plans by result.', ['result']);
  readonly planChanges = this.#counter('thalweg_core_plan_changes_total', 'Sessions that the plan opened or closed.', [
    'change',
  ]);
  readonly planExplored = this.#counter(
    'thalweg_core_plan_explored_pairs_total',
    'Pairs that held a session for a round, to be measured.',
  );
  readonly planSeconds = this.#histogram(
    'thalweg_core_plan_seconds',
    'Time of making a session plan.',
    COMPUTE_BUCKETS_S,
  );
  readonly linkRtt = this.#gauge('thalweg_link_rtt_seconds', 'Smoothed RTT of a link.', ['from', 'to']);
  readonly linkJitter = this.#gauge('thalweg_link_jitter_seconds', 'Delay variation of a link.', ['from', 'to']);
  readonly linkLoss = this.#gauge('thalweg_link_loss_ratio', 'Loss of a link towards its peer.', ['from', 'to']);
  readonly linkUtilisation = this.#gauge('thalweg_link_utilisation_ratio', 'Rate of a link over what it can carry.', [
    'from',
    'to',
  ]);
  readonly linkCapacity = this.#gauge(
    'thalweg_link_capacity_bytes_per_second',
    'What a link can carry, learned from what it carried before loss and delay rose.',
    ['from', 'to'],
  );
  readonly accessUtilisation = this.#gauge(
    'thalweg_access_utilisation_ratio',
    "Rate of a node's uplink or downlink over what it can carry.",
    ['node', 'direction'],
  );
  readonly accessCapacity = this.#gauge(
    'thalweg_access_capacity_bytes_per_second',
    "What a node's uplink or downlink can carry, configured or learned.",
    ['node', 'direction'],
  );
  readonly demand = this.#gauge('thalweg_demand_bytes_per_second', 'Smoothed demand from node to node address.', [
    'from',
    'to',
  ]);
  readonly loadUtilisation = this.#gauge(
    'thalweg_core_highest_utilisation_ratio',
    'Utilisation of the fullest link or access by demand: with the tables in force, and by latency alone.',
    ['tables'],
  );
  readonly loadChanges = this.#counter('thalweg_core_load_changes_total', 'Changes of routes for load.');
  readonly loadSeconds = this.#histogram('thalweg_core_load_seconds', 'Time of decisions on load.', COMPUTE_BUCKETS_S);
  readonly demandPairs = this.#gauge('thalweg_core_demand_pairs', 'Pairs of nodes whose demand is kept one by one.');
  readonly demandTotal = this.#gauge('thalweg_core_demand_bytes_per_second', 'Sum of all demands.');
  readonly refusedDemands = this.#counter(
    'thalweg_core_refused_demands_total',
    'Demands of reports that were not believed.',
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    for (const name of MISNAMED) this.registry.removeSingleMetric(name);
    this.#gauge('thalweg_core_build_info', 'Always 1; the version is a label.', ['version']).set(
      { version: SOFTWARE_VERSION },
      1,
    );
  }

  /** Calls back before each scrape, to set gauges that are read rather than kept. */
  onCollect(update: () => void): void {
    this.#collectors.push(update);
  }

  /** The Prometheus text exposition. */
  async text(): Promise<string> {
    for (const update of this.#collectors) update();
    return await this.registry.metrics();
  }

  readonly #collectors: (() => void)[] = [];

  #gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }
}
