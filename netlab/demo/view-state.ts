/** What the live view knows, built from a run's progress one report at a time. Pure. */
import type { PairView, RunProgress, ScenarioResult } from '../scenario/scenario-result.ts';

export interface ViewState {
  readonly scenario: string;
  readonly description: string;
  /** How many there are in the scenario. */
  readonly hostCount: number;
  /** The scenario is over and its lab stays up until Ctrl-C. */
  readonly staying: boolean;
  /** Null once the run has started. */
  readonly building: { readonly stage: string; readonly done: number; readonly total: number } | null;
  /** Seconds that it took until the mesh was steered. */
  readonly steeredS: number | null;
  readonly atMs: number;
  readonly durationMs: number;
  readonly converged: boolean;
  readonly pairs: readonly PairView[];
  /** Newest round trip through the overlay, microseconds, key `from>to`. */
  readonly replies: ReadonlyMap<string, number>;
  /** Seconds after t = 0 at which a pair last changed its path, key `from>to`. */
  readonly changedAt: ReadonlyMap<string, number>;
  /** What happened, oldest first. */
  readonly log: readonly LogLine[];
  readonly result: ScenarioResult | null;
}

export interface LogLine {
  readonly at: number;
  readonly kind: 'event' | 'path';
  readonly text: string;
}

export const EMPTY_VIEW: ViewState = {
  scenario: '',
  description: '',
  hostCount: 0,
  staying: false,
  building: null,
  steeredS: null,
  atMs: 0,
  durationMs: 0,
  converged: false,
  pairs: [],
  replies: new Map(),
  changedAt: new Map(),
  log: [],
  result: null,
};

/** What a screen can show at most; older lines are dropped. */
const LOG_LINES = 50;

export function advance(state: ViewState, progress: RunProgress): ViewState {
  switch (progress.kind) {
    case 'scenario':
      return {
        ...EMPTY_VIEW,
        scenario: progress.name,
        description: progress.description,
        hostCount: progress.hosts.length,
      };
    case 'building':
      return { ...state, building: { stage: progress.stage, done: progress.done, total: progress.total } };
    case 'api':
      return state;
    case 'started': {
      const steeredS = progress.steeredMs === null ? null : progress.steeredMs / 1_000;
      return { ...state, building: null, steeredS, durationMs: progress.durationMs, log: [] };
    }
    case 'event':
      return { ...state, log: logged(state, { at: progress.event.at, kind: 'event', text: progress.event.what }) };
    case 'pathChange': {
      const { at, from, to, after, reason } = progress.change;
      if (at < 0) return state;
      const text = `${from} -> ${to}: now ${routeText(after)} (${reason.replaceAll('_', ' ')})`;
      const changedAt = new Map(state.changedAt).set(`${from}>${to}`, at);
      return { ...state, changedAt, log: logged(state, { at, kind: 'path', text }) };
    }
    case 'paths':
      return { ...state, pairs: progress.pairs, atMs: progress.atMs, converged: progress.converged };
    case 'reply': {
      const replies = new Map(state.replies).set(`${progress.from}>${progress.to}`, progress.rttUs);
      return { ...state, replies };
    }
    case 'finished':
      return { ...state, result: progress.result, atMs: state.durationMs };
    case 'staying':
      // Nobody pings any more: what was measured then is not what is now.
      return { ...state, staying: true, result: null, replies: new Map() };
  }
}

/** `direct`, `via azure`, `via a, b`, `unreachable`. */
export function routeText(path: readonly string[]): string {
  if (path.length < 2) return 'unreachable';
  return path.length === 2 ? 'direct' : `via ${path.slice(1, -1).join(', ')}`;
}

function logged(state: ViewState, line: LogLine): LogLine[] {
  return [...state.log, line].slice(-LOG_LINES);
}
