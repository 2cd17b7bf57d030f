/**
 * What goes wrong, at random times out of a seed: links that packets use are cut, degrade, lose or flap; nodes lose power
 * or their session, or leave and come back. Each trouble ends by itself after a while.
 */
import type { Clock } from '../../protocol/clock.ts';
import type { Random } from '../seeded-random.ts';
import type { EventLog } from './event-log.ts';
import type { ForwardingState } from './forwarding-state.ts';
import { DEAD_AFTER_MS, HEALTHY, type LinkCondition, NOTICE_MS, type SimulatedUnderlay } from './simulated-underlay.ts';
import { PROBE_INTERVAL_MS, type SyntheticAgent } from './synthetic-agent.ts';

/** How often which trouble comes, in parts of the sum. */
const KINDS = {
  cut: 25,
  degrade: 30,
  loss: 12,
  flap: 6,
  power: 8,
  session: 12,
  leave: 7,
} as const;
export type TroubleKind = keyof typeof KINDS;
export type LinkTrouble = 'cut' | 'degrade' | 'loss' | 'flap';
const TROUBLE_KINDS = Object.keys(KINDS) as TroubleKind[];

export interface WeatherDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: EventLog;
  readonly underlay: SimulatedUnderlay;
  readonly forwarding: ForwardingState;
  readonly agents: readonly SyntheticAgent[];
  readonly peers: readonly (readonly number[])[];
  /** Something happened after which all of forwarding is worth a look. */
  readonly onReturn: () => void;
}

/** Node 0 is where the core is: it stays. */
const CORE_NODE = 0;
/** How long a node that left stays away, at least. */
const AWAY_MS = 25_000;
const FLAPS = 5;
const FLAP_MS = 2_000;

export class Weather {
  readonly counts: Record<TroubleKind, number> = {
    cut: 0,
    degrade: 0,
    loss: 0,
    flap: 0,
    power: 0,
    session: 0,
    leave: 0,
  };
  readonly #deps: WeatherDeps;
  /** Links and nodes in trouble: one at a time each. */
  readonly #busy = new Set<string>();

  constructor(deps: WeatherDeps) {
    this.#deps = deps;
  }

  /** Troubles from `fromMs` to `untilMs`, about `perMinute` of them, at random times. */
  schedule(fromMs: number, untilMs: number, perMinute: number): void {
    if (perMinute <= 0) return;
    const { clock, random } = this.#deps;
    // times between independent events are exponential
    for (let atMs = fromMs; ; ) {
      atMs += (-Math.log(1 - random()) * 60_000) / perMinute;
      if (atMs >= untilMs) return;
      clock.after(atMs - clock.monoMs(), () => this.#strike());
    }
  }

  #strike(): void {
    const { random } = this.#deps;
    let dice = random() * Object.values(KINDS).reduce((sum, part) => sum + part, 0);
    const kind = TROUBLE_KINDS.find((name) => {
      dice -= KINDS[name];
      return dice < 0;
    });
    if (kind === undefined) return;
    const happened = kind === 'power' || kind === 'session' || kind === 'leave' ? this.#node(kind) : this.#link(kind);
    if (happened) this.counts[kind]++;
  }

  /** A link of the path that some pair uses now. */
  #link(kind: LinkTrouble): boolean {
    const { forwarding, random } = this.#deps;
    const any = () => Math.floor(random() * forwarding.size);
    const [a, b] = forwarding.path(any(), any()).path;
    const lastsMs = 3_000 + 40_000 * random();
    return a !== undefined && b !== undefined && this.strikeLink(kind, a, b, lastsMs);
  }

  /** Brings trouble to a link for a time (a flap has its own). False: there is none, or it is in trouble already. */
  strikeLink(kind: LinkTrouble, a: number, b: number, lastsMs: number): boolean {
    const { random } = this.#deps;
    const name = `link ${Math.min(a, b)} ${Math.max(a, b)}`;
    if (!this.#deps.underlay.exists(a, b) || !this.#begin(name)) return false;
    const cut: LinkCondition = { ...HEALTHY, isCut: true };
    if (kind === 'flap') {
      for (let i = 0; i < FLAPS; i++) {
        this.#later(2 * i * FLAP_MS, () => this.#set(a, b, cut, 'flap'));
        this.#later((2 * i + 1) * FLAP_MS, () => this.#set(a, b, HEALTHY, 'flap'));
      }
      this.#later(2 * FLAPS * FLAP_MS, () => this.#busy.delete(name));
      return true;
    }
    const condition =
      kind === 'cut'
        ? cut
        : kind === 'loss'
          ? { ...HEALTHY, lossPpm: Math.round(50_000 + 250_000 * random()) }
          : { ...HEALTHY, rttFactor: 1.5 + 8 * random() ** 2 };
    this.#set(a, b, condition, kind);
    this.#later(lastsMs, () => {
      this.#set(a, b, HEALTHY, 'heal');
      this.#busy.delete(name);
    });
    return true;
  }

  #set(a: number, b: number, condition: LinkCondition, kind: string): void {
    const { clock, log, underlay } = this.#deps;
    underlay.setLink(a, b, condition, clock.monoMs());
    log.add(clock.monoMs(), `${kind} ${a} ${b} ${condition.rttFactor.toFixed(3)} ${condition.lossPpm}`);
    this.#notice(a, b, condition.isCut ? DEAD_AFTER_MS : NOTICE_MS);
  }

  /** Both ends report when their probes have seen it. */
  #notice(a: number, b: number, lagMs: number): void {
    const { agents, random } = this.#deps;
    for (const [node, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      this.#later(lagMs + PROBE_INTERVAL_MS * random(), () => {
        agents[node]?.report(peer);
      });
    }
  }

  #node(kind: 'power' | 'session' | 'leave'): boolean {
    const { agents, random } = this.#deps;
    const node = 1 + Math.floor(random() * (agents.length - 1));
    const agent = agents[node];
    const name = `node ${node}`;
    if (agent === undefined || node === CORE_NODE || !agent.isConnected || !this.#begin(name)) return false;
    const { clock, log, underlay, forwarding } = this.#deps;
    log.add(clock.monoMs(), `${kind} ${node}`);
    const over = () => this.#busy.delete(name);
    if (kind === 'session') {
      agent.disconnect(random() < 0.5);
      this.#later(1_000 + 15_000 * random(), () => {
        if (!agent.isConnected && agent.isThere) agent.connect();
        over();
      });
      return true;
    }
    if (kind === 'leave') {
      agent.leave();
      const back = () => {
        if (agent.isThere) {
          this.#later(AWAY_MS, back);
          return;
        }
        agent.join();
        over();
      };
      this.#later(AWAY_MS + AWAY_MS * random(), back);
      return true;
    }
    agent.disconnect(true);
    underlay.setPower(node, false, clock.monoMs());
    forwarding.setPower(node, false);
    for (const peer of this.#deps.peers[node] ?? []) this.#notice(peer, node, DEAD_AFTER_MS);
    this.#later(5_000 + 30_000 * random(), () => {
      underlay.setPower(node, true, clock.monoMs());
      // it puts its last tables back before it reaches the core
      forwarding.setPower(node, true);
      log.add(clock.monoMs(), `power back ${node}`);
      this.#deps.onReturn();
      for (const peer of this.#deps.peers[node] ?? []) this.#notice(peer, node, NOTICE_MS);
      this.#later(1_000, () => {
        if (!agent.isConnected && agent.isThere) agent.connect();
        over();
      });
    });
    return true;
  }

  #begin(name: string): boolean {
    if (this.#busy.has(name)) return false;
    this.#busy.add(name);
    return true;
  }

  #later(delayMs: number, then: () => void): void {
    this.#deps.clock.after(delayMs, then);
  }
}
