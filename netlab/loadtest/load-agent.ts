/**
 * One simulated agent: joins by token, holds a session, reports links, applies route deltas to a table and acknowledges
 * them, comes back after a lost session with full jitter. Everything of the protocol, nothing of a kernel.
 */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Clock, Timer } from '../../protocol/clock.ts';
import {
  type AgentBody,
  decodeCoreFrame,
  encodeAgentFrame,
  routeDeltaFromMessage,
} from '../../protocol/frame-codec.ts';
import {
  type CoreFrame,
  LinkHealth,
  type PeerUpdate,
  type RouteDelta,
  type Welcome,
} from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { Reconnect, type ReconnectOptions } from '../../protocol/reconnect.ts';
import { type RouteRow, RouteTable, type RouteDelta as TableDelta } from '../../protocol/route-table.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../../protocol/version.ts';
import type { LoadDoor } from './load-door.ts';
import type { ChangedLink, LoadTally } from './load-tally.ts';
import type { LoadUnderlay } from './load-underlay.ts';

/** A handshake and a window of probes: how long a real agent takes to have measured a new peer. */
const MEASURE_MS = 1000;
/** A join that failed on the wire is tried again after this long, times a random number. */
const JOIN_RETRY_MS = 2000;
const STANDING_BY_MS = 300;
const NO_BYTES = new Uint8Array(0);

export interface LoadAgentDeps {
  readonly clock: Clock;
  readonly monoUs: () => number;
  readonly random: () => number;
  readonly door: LoadDoor;
  readonly underlay: LoadUnderlay;
  readonly tally: LoadTally;
}

export interface LoadAgentOptions {
  readonly transit: boolean;
  readonly leafCapacity: number;
  /** Default: an agent's. */
  readonly reconnect?: ReconnectOptions;
}

export class LoadAgent {
  readonly #deps: LoadAgentDeps;
  readonly #options: LoadAgentOptions;
  readonly #publicKey = new Uint8Array(randomBytes(32));
  readonly #instanceId = new Uint8Array(randomBytes(8));
  readonly #table = new RouteTable();
  readonly #peers = new Set<number>();
  /** Peers whose links the core has heard of in this session. */
  readonly #reported = new Set<number>();
  readonly #reconnect: Reconnect;
  readonly #timers = new Set<Timer>();
  #certificateDer: Uint8Array = NO_BYTES;
  #socket: WebSocket | undefined;
  #sentSeq = 0n;
  #receivedSeq = 0n;
  #welcome: Welcome | undefined;
  #welcomedMonoMs = 0;
  #returned = false;
  #port = 0;
  #stopped = false;
  index = 0;

  constructor(deps: LoadAgentDeps, options: LoadAgentOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#reconnect = new Reconnect(options.reconnect);
  }

  /** Of the core that it has its session with, or tries to. */
  get port(): number {
    return this.#port;
  }

  /** Resolves when it has joined; what fails on the wire is tried again. */
  async join(): Promise<void> {
    const { clock, door, tally, random, monoUs } = this.#deps;
    const startedUs = monoUs();
    while (!this.#stopped) {
      let waitMs = random() * JOIN_RETRY_MS;
      try {
        const { refusal, index, certificateDer } = await door.join(this.#publicKey, clock.nowMs());
        if (refusal === undefined) {
          this.index = index;
          this.#certificateDer = certificateDer;
          if (this.#options.transit) tally.transit.push(index);
          tally.join((monoUs() - startedUs) / 1000);
          return;
        }
        if (refusal.retryAfterMs === 0) {
          tally.failed(`join ${refusal.code}`);
          return;
        }
        tally.counters.deferred++;
        waitMs = refusal.retryAfterMs;
      } catch (cause) {
        tally.failed(`join ${(cause as { code?: string }).code ?? 'error'}`);
      }
      await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
    }
  }

  /** Opens a session, and another whenever it ends. */
  connect(): void {
    if (this.#stopped || this.index === 0) return;
    const startedUs = this.#deps.monoUs();
    const socket = this.#deps.door.open(this.#certificateDer);
    this.#socket = socket;
    this.#port = this.#deps.door.openedPort;
    this.#sentSeq = 0n;
    this.#receivedSeq = 0n;
    this.#welcome = undefined;
    this.#reported.clear();
    let reason = 'closed';
    socket.on('open', () => this.#hello());
    socket.on('message', (data: Buffer) => {
      this.#deps.tally.counters.receivedBytes += data.length;
      const frame = decodeCoreFrame(data);
      if (!frame.ok || frame.value.seq !== this.#receivedSeq + 1n) {
        reason = 'malformed or out of order';
        socket.terminate();
        return;
      }
      this.#receivedSeq = frame.value.seq;
      if (frame.value.body.case === 'refusal') reason = frame.value.body.value.code;
      this.#take(frame.value.body, startedUs);
    });
    socket.on('error', (cause: Error & { code?: string }) => {
      reason = cause.code ?? 'error';
    });
    socket.on('close', () => this.#closed(reason));
  }

  /** The link to the peer changed: says so at once, as a real agent. */
  linkChanged(peer: number): void {
    if (this.#welcome === undefined || !this.#peers.has(peer)) return;
    this.#report([peer]);
    const { watch } = this.#deps.tally;
    if (watch !== null) watch.reportedUs ??= this.#deps.monoUs();
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimers();
    this.#socket?.terminate();
  }

  #hello(): void {
    const { clock } = this.#deps;
    const { transit, leafCapacity } = this.#options;
    const address = Uint8Array.of(198, 18, (this.index >> 8) & 0xff, this.index & 0xff);
    this.#send({
      case: 'hello',
      value: {
        protocolMin: PROTOCOL_MIN,
        protocolMax: PROTOCOL_MAX,
        software: SOFTWARE_VERSION,
        publicKey: this.#publicKey,
        listenPort: 51820,
        endpoints: [{ address, port: 51820 }],
        underlayMtuBytes: 1500,
        transit,
        tableGeneration: this.#table.generation,
        tableChecksum: this.#table.checksum,
        clockUnixMs: BigInt(clock.nowMs()),
        instanceId: this.#instanceId,
        stampPort: 862,
        wireguardBackend: 'kernel',
        leafCapacity,
      },
    });
  }

  #take(body: CoreFrame['body'], startedUs: number): void {
    const { tally, monoUs, clock } = this.#deps;
    switch (body.case) {
      case 'welcome':
        this.#welcome = body.value;
        this.#welcomedMonoMs = clock.monoMs();
        tally.session((monoUs() - startedUs) / 1000);
        this.#beat(body.value.heartbeatMs);
        this.#reportAll(this.#deps.random() * body.value.reportIntervalMs, body.value.reportIntervalMs);
        return;
      case 'peerUpdate':
        this.#peersChanged(body.value);
        return;
      case 'routeDelta':
        this.#apply(body.value);
        return;
      default:
        return;
    }
  }

  #peersChanged({ full, set, remove }: PeerUpdate): void {
    this.#deps.tally.counters.peerUpdates++;
    if (full) {
      const named = new Set(set.map((peer) => peer.index));
      for (const peer of this.#peers) if (!named.has(peer)) this.#forget(peer);
    }
    for (const { index } of set) this.#peers.add(index);
    for (const index of remove) this.#forget(index);
    if ([...this.#peers].every((peer) => this.#reported.has(peer))) return;
    // who comes back has measured its peers all the time, and says so at once, as a real agent
    this.#after(this.#returned ? 0 : MEASURE_MS, () =>
      this.#report([...this.#peers].filter((peer) => !this.#reported.has(peer))),
    );
  }

  #forget(peer: number): void {
    this.#peers.delete(peer);
    this.#reported.delete(peer);
  }

  #apply(message: RouteDelta): void {
    const { tally, monoUs } = this.#deps;
    const { counters, watch } = tally;
    const parsed = routeDeltaFromMessage(message);
    counters.deltas++;
    counters.rows += message.set.length + message.remove.length;
    if (watch !== null && watch.reportedUs !== null) watch.firstDeltaUs ??= monoUs();
    const moves = watch !== null && parsed.ok && this.#leavesLink(parsed.value, watch.link);
    const applied = parsed.ok ? this.#table.apply(parsed.value) : parsed;
    if (!applied.ok) {
      counters.unfit++;
      const { generation: haveGeneration, checksum: haveChecksum } = this.#table;
      this.#send({ case: 'tableRequest', value: { haveGeneration, haveChecksum } });
      return;
    }
    if (this.#returned) counters.tablesChangedOnReturn++;
    this.#returned = false;
    const { generation, checksum } = this.#table;
    this.#send({ case: 'tableAck', value: { generation, checksum, error: '', message: '' } });
    if (watch === null) return;
    watch.deltas++;
    watch.agents.add(this.index);
    if (moves) watch.lastSourceAckUs = monoUs();
  }

  /** Packets of this node that are sent over the link are sent another way by the delta. */
  #leavesLink({ set, remove, full }: TableDelta, { a, b }: ChangedLink): boolean {
    const other = this.index === a ? b : this.index === b ? a : undefined;
    if (other === undefined) return false;
    const uses = (row: RouteRow | undefined) => row?.nextHops.some((hop) => hop.neighbour === other) === true;
    if (full) return [...this.#table.rows()].some((row) => row.table === 'source' && uses(row));
    const changed = [...remove, ...set.filter((row) => !uses(row))].filter((key) => key.table === 'source');
    return changed.some((key) => uses(this.#table.get(key)));
  }

  #report(peers: readonly number[]): void {
    if (this.#welcome === undefined || peers.length === 0) return;
    for (const peer of peers) this.#reported.add(peer);
    this.#deps.tally.counters.reports++;
    const links = peers.map((peerIndex) => {
      const state = this.#deps.underlay.link(this.index, peerIndex);
      if (state === 'down') return { peerIndex, health: LinkHealth.DOWN, samples: 50 };
      const { rttUs } = state;
      return {
        peerIndex,
        health: LinkHealth.UP,
        rttUs,
        minRttUs: rttUs,
        jitterUs: 200,
        lossOutPpm: 0,
        lossInPpm: 0,
        samples: 50,
        handshakeAgeS: 30,
      };
    });
    this.#send({ case: 'linkReport', value: { links } });
  }

  #reportAll(delayMs: number, intervalMs: number): void {
    this.#after(delayMs, () => {
      this.#report([...this.#peers]);
      this.#reportAll(intervalMs, intervalMs);
    });
  }

  #beat(heartbeatMs: number): void {
    this.#after(heartbeatMs, () => {
      this.#deps.tally.counters.heartbeats++;
      this.#send({ case: 'heartbeat', value: { clockUnixMs: BigInt(this.#deps.clock.nowMs()) } });
      this.#beat(heartbeatMs);
    });
  }

  #closed(reason: string): void {
    const { tally, clock, random } = this.#deps;
    this.#cancelTimers();
    const wasOpen = this.#welcome !== undefined;
    if (wasOpen) tally.established--;
    this.#welcome = undefined;
    if (this.#stopped) return;
    tally.failed(`session ${reason}`);
    this.#returned = this.#table.generation > 0n;
    const lastedMs = wasOpen ? clock.monoMs() - this.#welcomedMonoMs : 0;
    // as an agent: the core that it was with is tried first, and being sent on is no failure
    if (wasOpen && reason !== 'standing_by') this.#deps.door.stay();
    const delayMs =
      reason === 'standing_by' ? random() * STANDING_BY_MS : this.#reconnect.nextDelayMs(lastedMs, 0, random());
    this.#after(delayMs, () => this.connect());
  }

  #send(body: AgentBody): void {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== socket.OPEN) return;
    const bytes = encodeAgentFrame(++this.#sentSeq, body);
    this.#deps.tally.counters.sentBytes += bytes.length;
    socket.send(bytes, () => {});
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = this.#deps.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
