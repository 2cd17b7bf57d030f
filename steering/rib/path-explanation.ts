/** Sentences about paths, with the numbers that decided. Pure text out of costs. */
import type { CostTerms, PathChangeReason } from '../../protocol/api.ts';
import type { Link } from '../link-state/link-state.ts';
import type { IncumbencyOptions } from './incumbency.ts';

export function msText(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}

const TERMS = [
  ['rttUs', 'RTT'],
  ['lossUs', 'the price of loss'],
  ['jitterUs', 'the price of jitter'],
  ['loadUs', 'the price of load'],
  ['transitUs', 'the price of transit hops'],
] as const;

export interface HoldState {
  /** Time for which the runner-up has won by the margin; null: it does not. */
  readonly winsForMs: number | null;
  readonly settlesForMs: number | null;
  /** The move is decided and its tables are on their way. */
  readonly moving: boolean;
  /** The runner-up crosses a link that is up again and must first be so for this long; null: it does not. */
  readonly untrustedForMs: number | null;
  /** What the direct link went down to lately, which the runner-up is not sure to beat; null: nothing to prove. */
  readonly unprovenUs: number | null;
}

/** Why the runner-up is not the path. */
export function whyNot(chosen: CostTerms, runnerUp: CostTerms, hold: HoldState, options: IncumbencyOptions): string {
  const behindUs = runnerUp.totalUs - chosen.totalUs;
  if (behindUs < 0) {
    const better = `better by ${msText(-behindUs)}`;
    if (hold.moving) return `${better}; the move is decided and its tables are on their way`;
    if (hold.untrustedForMs !== null) {
      return `${better}, over a link that was down and must first be up for ${seconds(hold.untrustedForMs)}`;
    }
    if (hold.unprovenUs !== null) {
      return `${better}, but links are unsteady: the direct one was at ${msText(hold.unprovenUs)} lately`;
    }
    const needs = `a move needs ${msText(options.marginUs)} and ${(options.marginRatio * 100).toFixed(1)} %`;
    const holdMs = runnerUp.totalUs * 2 < chosen.totalUs ? options.fastHoldMs : options.holdMs;
    if (hold.winsForMs !== null) return `${better} for ${seconds(hold.winsForMs)}; ${needs} for ${seconds(holdMs)}`;
    if (hold.settlesForMs !== null) {
      return `${better} for ${seconds(hold.settlesForMs)}; ${needs}, or to last ${seconds(options.settleMs)}`;
    }
    return `${better}, which is within the margin; ${needs} for ${seconds(holdMs)}`;
  }
  let [deciding, most]: [string, number] = ['RTT', Number.NEGATIVE_INFINITY];
  let key: (typeof TERMS)[number][0] = 'rttUs';
  for (const [term, name] of TERMS) {
    const difference = runnerUp[term] - chosen[term];
    if (difference > most) [deciding, most, key] = [name, difference, term];
  }
  if (behindUs === 0) return 'costs the same; fewer hops, then the lower node index, decide';
  return `costs ${msText(behindUs)} more, most of it ${deciding}: ${msText(runnerUp[key])} against ${msText(chosen[key])}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** What is known when a pair's path changed. */
export interface PathMove {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly beforeCostUs: number | null;
  readonly afterCostUs: number | null;
  /** Since when, on the engine's clock, the path before was used. */
  readonly sinceMs: number;
  readonly links: (from: number, to: number) => Link | undefined;
  readonly name: (index: number) => string;
  /** The node is gone, or does not forward any more. */
  readonly forwards: (index: number) => boolean;
  readonly joinedMs: (index: number) => number;
  readonly isFirst: boolean;
  /** Load has its say in where the destination's packets go, or had it before the move. */
  readonly isSpread: boolean;
}

/** Reason and sentence for a move. */
export function explainMove(move: PathMove): { reason: PathChangeReason; detail: string } {
  const { before, after, name } = move;
  const to = after.map(name).join(' - ');
  const compared =
    move.afterCostUs === null
      ? `now ${to}, not measured`
      : `${to} costs ${msText(move.afterCostUs)}${
          move.beforeCostUs === null ? '' : `, the path before ${msText(move.beforeCostUs)}`
        }`;
  const down = linksOf(before, move).find(([, , link]) => link?.filter.health === 'down');
  if (after.length === 0) {
    const why =
      down === undefined ? 'no path is left' : `link ${name(down[0])} - ${name(down[1])} is down and no path is left`;
    return { reason: 'unreachable', detail: why };
  }
  if (move.isFirst) return { reason: 'first_path', detail: compared };
  const gone = before.slice(1, -1).find((index) => !move.forwards(index));
  if (gone !== undefined)
    return { reason: 'node_left', detail: `${name(gone)} does not forward any more; ${compared}` };
  if (down !== undefined)
    return { reason: 'link_down', detail: `link ${name(down[0])} - ${name(down[1])} is down; ${compared}` };
  for (const [a, b, link] of linksOf(before, move)) {
    const step = link?.filter.degraded;
    if (step === undefined || step === null) continue;
    const change = `link ${name(a)} - ${name(b)} went from ${msText(step.fromRttUs)} to ${msText(step.toRttUs)}`;
    return { reason: 'link_degraded', detail: `${change}; ${compared}` };
  }
  for (const [a, b, link] of linksOf(after, move)) {
    const step = link?.filter.recovered;
    const held = link?.filter.held === true;
    if (!held && (step === undefined || step === null || step.atMs < move.sinceMs)) continue;
    const was =
      step === undefined || step === null || step.fromRttUs === 0
        ? 'is up again'
        : `is back from ${msText(step.fromRttUs)}`;
    return { reason: 'link_recovered', detail: `link ${name(a)} - ${name(b)} ${was}; ${compared}` };
  }
  const joined = after.slice(1, -1).find((index) => move.joinedMs(index) > move.sinceMs);
  if (joined !== undefined) return { reason: 'node_joined', detail: `${name(joined)} joined; ${compared}` };
  if (before.length === 0) return { reason: 'link_recovered', detail: compared };
  if (move.isSpread) return { reason: 'load', detail: `traffic is spread for load, the most of it by ${compared}` };
  return { reason: 'better_path', detail: compared };
}

function linksOf(path: readonly number[], move: PathMove): [number, number, Link | undefined][] {
  const links: [number, number, Link | undefined][] = [];
  for (let i = 1; i < path.length; i++) {
    const [a, b] = [path[i - 1] ?? 0, path[i] ?? 0];
    links.push([a, b, move.links(a, b)]);
  }
  return links;
}
