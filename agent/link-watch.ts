/**
 * The links of this node as its own prober and WireGuard see them: runs the prober, reads the sessions, decides which
 * neighbours are down, which endpoints to use and what the core is to hear of it.
 */
import type { Overlay, PeerStatus } from '../overlay/overlay-state.ts';
import type { LinkSummary, ProbeCounters, Prober, ProbeSettings } from '../overlay/stamp/prober.ts';
import type { AddressPlan, AddressRanges } from '../protocol/address-plan.ts';
import type { Clock, Timer } from '../protocol/clock.ts';
import type { HostPort } from '../protocol/endpoint.ts';
import type { PublicKey } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import { type ChosenEndpoint, EndpointChoice, usableEndpoint } from './endpoint-choice.ts';
import { FirstWord } from './first-word.ts';
import { type LinkMeasurementInit, LinkReporter, type SessionReading } from './link-reporter.ts';
import { type DetectionRules, detectionSettings, linkUse, neighboursInUse } from './link-use.ts';
import { LocalRepair } from './local-repair.ts';
import type { MeshPeer, PeerSet } from './mesh-peer.ts';
import type { AgentMetrics, PeerSnapshot } from './metrics.ts';
import { SessionRates } from './session-rates.ts';
import type { TableKeeper } from './table-keeper.ts';

export interface LinkWatchDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly overlay: Pick<Overlay, 'peerStatus'>;
  readonly createProber: () => Prober;
  readonly metrics: AgentMetrics;
  /** Read anew at each use: the core may replace the set. */
  readonly peers: () => PeerSet;
  readonly table: Pick<TableKeeper, 'rows' | 'tag'>;
  /** Neighbours went down or came back: routes are to be computed anew. */
  readonly onDownChanged: () => void;
  /** New summaries are in; a report may be due. */
  readonly onSummaries: () => void;
}

export interface LinkWatchOptions {
  readonly stampPort: number;
  readonly detection: DetectionRules;
  readonly listenPort: number;
  readonly ownIndex: number;
}

const MIN_PROBE_INTERVAL_MS = 10;

type ProbePlan = Pick<ProbeSettings, 'intervalMs' | 'deadAfterMs'>;

/** A link that our probes find down, and whose last handshake is older, has no session: WireGuard renews after 15 s of silence. */
const STALE_WHEN_DOWN_MS = 15_000;

/** So much above the least RTT of the last minutes there may be a queue. */
const QUEUE_US = 10_000;

export class LinkWatch {
  readonly #deps: LinkWatchDeps;
  readonly #options: LinkWatchOptions;
  readonly #endpoints = new EndpointChoice();
  readonly #firstWord: FirstWord;
  readonly #repair = new LocalRepair();
  readonly #reporter = new LinkReporter();
  #prober: Prober | undefined;
  #plan: ProbePlan = { intervalMs: 250, deadAfterMs: 1000 };
  #aimedAt = '';
  /** Goes off when a link that is down may be told. */
  #heldBack: Timer | undefined;
  #summaries: readonly LinkSummary[] = [];
  #proberLagMs = 0;
  #statuses = new Map<PublicKey, PeerStatus>();
  #learned = new Map<PublicKey, HostPort>();
  readonly #rates = new SessionRates();

  constructor(deps: LinkWatchDeps, options: LinkWatchOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#firstWord = new FirstWord(options.ownIndex);
  }

  /** Neighbours that are not to be forwarded through. */
  get down(): ReadonlySet<number> {
    return this.#repair.down;
  }

  get measured(): number {
    return this.#summaries.length;
  }

  get proberLagMs(): number {
    return this.#proberLagMs;
  }

  /** Some peer has no session yet: sessions are worth reading often. */
  get searching(): boolean {
    return this.#endpoints.searching;
  }

  /** Reads the sessions where they carry load, or a queue shows: to be called every second. */
  async readLoad(): Promise<void> {
    if (this.#rates.busy || this.#summaries.some(isQueued)) await this.readSessions();
  }

  /** Starts a prober bound to `tunnelAddress`, in place of one that runs. Throws port_in_use, unreachable. */
  async startProber(tunnelAddress: string, ranges: AddressRanges): Promise<void> {
    await this.#prober?.stop();
    const prober = this.#deps.createProber();
    prober.onSummary((summaries, counters) => this.#onSummary(summaries, counters));
    this.#prober = prober;
    await prober.start(tunnelAddress, this.#options.stampPort, this.#settings());
    this.#aimedAt = '';
    this.aim(ranges);
  }

  /** Probes the peers as they are now, each by what it is used for. */
  aim(ranges: AddressRanges): void {
    const peers = this.#deps.peers().list();
    const inUse = neighboursInUse(this.#deps.table.rows, peers);
    const targets = peers.map(({ index, stampPort, publicKey }) => ({
      peerIndex: index,
      address: ranges.tunnelAddress(index),
      port: stampPort,
      use: linkUse(inUse.has(index), this.#rates.get(publicKey)?.sentBytesPerSecond),
    }));
    const aimedAt = targets.map(({ address, port, use }) => `${address}:${port} ${use}`).join();
    if (aimedAt === this.#aimedAt) return;
    this.#aimedAt = aimedAt;
    this.#prober?.setTargets(targets);
  }

  /** The core's pace; one that would cost a device more than it tells is not followed. */
  setProbePlan({ intervalMs, deadAfterMs }: ProbePlan): void {
    if (intervalMs < MIN_PROBE_INTERVAL_MS || deadAfterMs < intervalMs) return;
    this.#plan = { intervalMs, deadAfterMs };
    this.#prober?.setSettings(this.#settings());
  }

  #settings(): ProbeSettings {
    return { ...this.#plan, detection: detectionSettings(this.#plan, this.#options.detection) };
  }

  /** Reads the sessions from the device. */
  async readSessions(): Promise<void> {
    const statuses = await this.#deps.overlay.peerStatus();
    this.#statuses = new Map(statuses.map((status) => [status.publicKey, status]));
    this.#rates.observe(statuses, this.#deps.clock.monoMs());
  }

  /** Peers of before the start: their sessions may still be in the device, or they may believe so. */
  async remember(peers: readonly MeshPeer[]): Promise<void> {
    this.#firstWord.remember(peers);
    await this.readSessions();
  }

  /** True when an endpoint is to be set anew. */
  chooseEndpoints(plan: AddressPlan, underlayAddresses: readonly string[]): boolean {
    const usable = usableEndpoint(plan, underlayAddresses, this.#options.listenPort);
    const health = new Map(this.#summaries.map((s) => [s.peerIndex, s.health]));
    const ages = new Map<PublicKey, number | null>();
    const peers: MeshPeer[] = [];
    for (const peer of this.#deps.peers().list()) {
      const link = health.get(peer.index);
      const ageMs = this.#handshakeAgeMs(peer.publicKey);
      // Probes that come back prove a session, whatever the wall clock says of its age.
      if (link === 'up') ages.set(peer.publicKey, 0);
      else ages.set(peer.publicKey, link === 'down' && ageMs !== null && ageMs > STALE_WHEN_DOWN_MS ? null : ageMs);
      peers.push(this.#withLearned(peer, link === 'up'));
    }
    const monoMs = this.#deps.clock.monoMs();
    const released = this.#firstWord.step(peers, ages, monoMs);
    return this.#endpoints.step(peers, ages, usable, monoMs) || released;
  }

  /** Milliseconds until endpoints are worth choosing again though nothing has happened; null: no such time. */
  get chooseAgainMs(): number | null {
    return this.#firstWord.waitMs(this.#deps.clock.monoMs());
  }

  /** What the device should have for a peer; undefined: it is to be without the peer yet. */
  endpointOf(key: PublicKey): ChosenEndpoint | undefined {
    if (!this.#firstWord.mayListen(key)) return undefined;
    return this.#firstWord.maySpeak(key) ? this.#endpoints.endpointOf(key) : { endpoint: null, forceEndpoint: false };
  }

  /** The core knows nothing of our links any more. */
  resetReports(): void {
    this.#reporter.reset();
  }

  /** What the core is to hear now; [] for nothing. */
  takeReport(reportIntervalMs: number): LinkMeasurementInit[] {
    const sessions = new Map<number, SessionReading>();
    for (const peer of this.#deps.peers().list()) {
      const ageMs = this.#handshakeAgeMs(peer.publicKey);
      const { sentBytesPerSecond, receivedBytesPerSecond } = this.#rates.told(peer.publicKey) ?? {};
      const handshakeAgeS = ageMs === null ? undefined : ageMs / 1000;
      sessions.set(peer.index, { handshakeAgeS, sentBytesPerSecond, receivedBytesPerSecond });
    }
    const { clock, onSummaries } = this.#deps;
    const report = this.#reporter.observe(this.#summaries, sessions, reportIntervalMs, clock.monoMs());
    this.#heldBack?.cancel();
    const { heldUntilMs } = this.#reporter;
    this.#heldBack =
      heldUntilMs === Number.POSITIVE_INFINITY
        ? undefined
        : clock.after(Math.max(1, Math.ceil(heldUntilMs - clock.monoMs())), onSummaries);
    return report;
  }

  snapshot(): PeerSnapshot[] {
    const links = new Map(this.#summaries.map((s) => [s.peerIndex, s]));
    return this.#deps
      .peers()
      .list()
      .map((peer) => {
        const status = this.#statuses.get(peer.publicKey);
        const ageMs = this.#handshakeAgeMs(peer.publicKey);
        return {
          name: peer.name,
          link: links.get(peer.index),
          handshakeAgeS: ageMs === null ? null : ageMs / 1000,
          receivedBytes: status?.receivedBytes ?? 0,
          sentBytes: status?.sentBytes ?? 0,
        };
      });
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    this.#heldBack?.cancel();
    await this.#prober?.stop();
  }

  #onSummary(summaries: readonly LinkSummary[], counters: ProbeCounters): void {
    const { metrics, clock, log, peers } = this.#deps;
    this.#summaries = summaries.filter((s) => peers().get(s.peerIndex) !== undefined);
    this.#proberLagMs = counters.maxLagMs;
    metrics.probed(counters);
    if (this.#repair.observe(this.#summaries, clock.monoMs(), this.#deps.table.tag.generation)) {
      metrics.repairedLocally();
      const names = [...this.#repair.down].map((index) => peers().get(index)?.name ?? String(index));
      log.info('neighbours that are down', { count: names.length, peers: names.slice(0, 20).join(' ') });
      this.#deps.onDownChanged();
    }
    this.#deps.onSummaries();
  }

  /** Peers are told anew: where one has another key than before, it is still reached at the same place. */
  keysChanged(before: readonly MeshPeer[]): void {
    for (const { index, publicKey } of before) {
      const now = this.#deps.peers().get(index)?.publicKey;
      const endpoint = this.#statuses.get(publicKey)?.endpoint ?? this.#learned.get(publicKey);
      if (now !== undefined && now !== publicKey && endpoint != null) this.#learned.set(now, endpoint);
    }
  }

  /** An endpoint that WireGuard learned by roaming, and that worked, is a candidate too: behind a NAT it is the only one. */
  #withLearned(peer: MeshPeer, works: boolean): MeshPeer {
    const actual = this.#statuses.get(peer.publicKey)?.endpoint ?? null;
    if (works && actual !== null) this.#learned.set(peer.publicKey, actual);
    const learned = this.#learned.get(peer.publicKey);
    if (learned === undefined) return peer;
    if (peer.endpoints.some((e) => e.address === learned.address && e.port === learned.port)) return peer;
    return { ...peer, endpoints: [learned, ...peer.endpoints] };
  }

  /** By the wall clock, since that is how WireGuard tells it: never negative, whatever the clock did. */
  #handshakeAgeMs(key: PublicKey): number | null {
    const at = this.#statuses.get(key)?.lastHandshakeAtMs ?? null;
    return at === null ? null : Math.max(0, this.#deps.clock.nowMs() - at);
  }
}

function isQueued({ rttUs, minRttUs }: LinkSummary): boolean {
  return rttUs !== null && minRttUs !== null && rttUs >= minRttUs + QUEUE_US;
}
