/** A random but repeatable sequence of joins, leaves, kills, cuts and heals that always ends with everything mended. */
import type { Direction, HostActionKind, ScenarioAction, ShapeChange } from './scenario.ts';

export type ChurnKind = 'join' | 'leave' | 'kill' | 'cut' | 'heal' | 'degrade' | 'power';

export interface ChurnPlan {
  readonly seed: number;
  readonly everyMs: number;
  readonly fromMs: number;
  /** At this time everything is mended. */
  readonly toMs: number;
  readonly kinds: readonly ChurnKind[];
  /** So many hosts always run. */
  readonly keepHosts: number;
  readonly hosts: readonly string[];
}

export interface ChurnEvent {
  readonly atMs: number;
  readonly action: ScenarioAction;
}

/** No more than this share of the links is cut at one time, so that most pairs always have some way. */
const MOST_CUT = 1 / 3;
/** What a degraded link's round trip becomes: far outside every hysteresis margin. */
const DEGRADED_RTT_US = [30_000, 150_000] as const;

/** Same plan, same events. */
export function churnEvents(plan: ChurnPlan): ChurnEvent[] {
  const random = mulberry32(plan.seed);
  const state = new ChurnState(plan);
  const events: ChurnEvent[] = [];
  for (let atMs = plan.fromMs; atMs < plan.toMs; atMs += plan.everyMs) {
    const choices = plan.kinds.map((kind) => state.choices(kind)).filter((list) => list.length > 0);
    const list = choices[Math.floor(random() * choices.length)];
    const action = list?.[Math.floor(random() * list.length)]?.(random);
    if (action === undefined) continue;
    state.note(action);
    events.push({ atMs, action });
  }
  for (const action of state.mend()) events.push({ atMs: plan.toMs, action });
  return events;
}

type Choice = (random: () => number) => ScenarioAction;

/** What is broken at one moment of the sequence. */
class ChurnState {
  readonly #plan: ChurnPlan;
  readonly #links: readonly Direction[];
  /** Hosts that do not run, and what brings them back. */
  readonly #away = new Map<string, HostActionKind>();
  /** Index into #links. */
  readonly #cut = new Set<number>();
  readonly #degraded = new Set<number>();

  constructor(plan: ChurnPlan) {
    this.#plan = plan;
    this.#links = plan.hosts.flatMap((from, i) => plan.hosts.slice(i + 1).map((to) => ({ from, to })));
  }

  choices(kind: ChurnKind): Choice[] {
    const running = this.#plan.hosts.filter((host) => !this.#away.has(host));
    const spare = running.length > this.#plan.keepHosts ? running : [];
    const links = [...this.#links.keys()];
    switch (kind) {
      case 'join':
        return [...this.#away].map(([host, back]) => () => ({ kind: back, host }));
      case 'leave':
        return spare.map((host) => () => ({ kind: 'leave', host }));
      case 'kill':
        return spare.map((host) => () => ({ kind: 'kill', host }));
      case 'power':
        return spare.map((host) => () => ({ kind: 'power-off', host }));
      case 'cut':
        if (this.#cut.size + 1 > this.#links.length * MOST_CUT) return [];
        return links.filter((i) => !this.#cut.has(i)).map((i) => () => ({ kind: 'cut', links: this.#both(i) }));
      case 'heal':
        return links
          .filter((i) => this.#cut.has(i) || this.#degraded.has(i))
          .map((i) => () => ({ kind: 'heal', links: this.#both(i) }));
      case 'degrade':
        return links
          .filter((i) => !this.#cut.has(i) && !this.#degraded.has(i))
          .map((i) => (random) => ({ kind: 'degrade', links: this.#both(i), change: degraded(random) }));
    }
  }

  note(action: ScenarioAction): void {
    switch (action.kind) {
      case 'leave':
        this.#away.set(action.host, 'join');
        return;
      case 'kill':
        this.#away.set(action.host, 'start-agent');
        return;
      case 'power-off':
        this.#away.set(action.host, 'power-on');
        return;
      case 'join':
      case 'start-agent':
      case 'power-on':
        this.#away.delete(action.host);
        return;
      case 'cut':
        this.#cut.add(this.#index(action.links));
        return;
      case 'degrade':
        this.#degraded.add(this.#index(action.links));
        return;
      case 'heal':
        this.#cut.delete(this.#index(action.links));
        this.#degraded.delete(this.#index(action.links));
        return;
      default:
        throw new Error(`churn does not make ${action.kind}`);
    }
  }

  mend(): ScenarioAction[] {
    const broken = [...new Set([...this.#cut, ...this.#degraded])].sort((a, b) => a - b);
    const actions: ScenarioAction[] = [];
    if (broken.length > 0) actions.push({ kind: 'heal', links: broken.flatMap((i) => this.#both(i)) });
    for (const [host, kind] of this.#away) actions.push({ kind, host });
    return actions;
  }

  #both(index: number): Direction[] {
    const link = this.#links[index];
    return link === undefined ? [] : [link, { from: link.to, to: link.from }];
  }

  #index(links: readonly Direction[]): number {
    return this.#links.findIndex((link) => link.from === links[0]?.from && link.to === links[0]?.to);
  }
}

function degraded(random: () => number): ShapeChange {
  const [low, high] = DEGRADED_RTT_US;
  return { oneWayDelayUs: Math.round((low + random() * (high - low)) / 2) };
}

/** Small seeded generator of numbers in [0, 1) with a period of 2^32 (T. Ettinger's mulberry32). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
