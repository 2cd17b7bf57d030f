/** Compares what a run has seen with what its scenario expects. Pure. */

import { summarise } from '../traffic/percentile.ts';
import { repliesIn } from '../traffic/ping-series.ts';
import { pairText } from './expectation-check.ts';
import { optimaUs, rttSummary } from './measurements.ts';
import type { PairReplies } from './ping-run.ts';
import { formatMs } from './quantity.ts';
import { pathAt, type RunRecord } from './run-record.ts';
import { type OptimumBound, orderedPairs, pairKey, type ScenarioExpectation, type TimeWindow } from './scenario.ts';
import type { ExpectationResult } from './scenario-result.ts';

type Of<K extends ScenarioExpectation['kind']> = Extract<ScenarioExpectation, { kind: K }>;

/** How many offenders a verdict names. */
const NAMED = 4;

export function judge(expectation: ScenarioExpectation, record: RunRecord): ExpectationResult {
  switch (expectation.kind) {
    case 'rtt':
      return judgeRtt(expectation, record);
    case 'lost':
    case 'duplicated':
    case 'reordered': {
      const what = `flow ${expectation.flow}: ${expectation.kind} at most ${expectation.atMost}${inWindow(expectation.window)}`;
      const seen = record.flow(expectation.flow, expectation.window)?.[expectation.kind];
      return {
        what,
        ok: seen !== undefined && seen <= expectation.atMost,
        seen: seen === undefined ? 'not measured' : `${seen}`,
      };
    }
    case 'outage': {
      const what = `flow ${expectation.flow}: no outage over ${formatMs(expectation.atMostUs / 1_000)}${inWindow(expectation.window)}`;
      const seen = record.flow(expectation.flow, expectation.window)?.outageUs ?? null;
      return {
        what,
        ok: seen !== null && seen <= expectation.atMostUs,
        seen: seen === null ? 'not measured' : formatMs(seen / 1_000),
      };
    }
    case 'path':
      return judgePath(expectation, record);
    case 'path-changes':
      return judgePathChanges(expectation, record);
    case 'converged': {
      const seen = record.convergedAt(expectation.byMs);
      return {
        what: `converged at ${formatMs(expectation.byMs)}`,
        ok: seen === true,
        seen: seen === undefined ? 'the core gave no answer' : seen ? 'converged' : 'not converged',
      };
    }
    case 'joined':
    case 'steered': {
      const seen = expectation.kind === 'joined' ? record.joinedMs : record.steeredMs;
      return {
        what: `all ${expectation.kind} within ${formatMs(expectation.withinMs)} of the first join`,
        ok: seen !== null && seen <= expectation.withinMs,
        seen: seen === null ? 'not at all' : formatMs(seen),
      };
    }
    case 'routes-touched': {
      const touches = expectation.hosts.flatMap((host) =>
        record
          .routeTouches(host, expectation.window)
          .filter((touch) => expectation.nextHops || !touch.isNextHop)
          .map(({ what }) => `${host}: ${what}`),
      );
      return {
        what: `kernel routes touched at most ${expectation.atMost} times${inWindow(expectation.window)}`,
        ok: touches.length <= expectation.atMost,
        seen: listed(touches, `${touches.length}`),
      };
    }
    case 'optimal-paths':
      return judgeOptimalPaths(expectation, record);
    case 'kernel-tables': {
      const wrong = record.kernelDisagreements;
      return {
        what: "every kernel's tables lead along the core's paths",
        ok: wrong !== null && wrong.length === 0,
        seen:
          wrong === null ? 'not read' : wrong.length === 0 ? 'they do' : listed(wrong, `${wrong.length} pairs differ`),
      };
    }
    case 'leaks':
      return judgeLeaks(expectation, record);
  }
}

function judgeRtt(expectation: Of<'rtt'>, record: RunRecord): ExpectationResult {
  const { statistic, atMostUs, atLeastUs, within, meanWithin, window } = expectation;
  const optimum = optimaUs(record);
  const wrong: string[] = [];
  const ratios: { readonly seen: number; readonly bound: number }[] = [];
  let worst = 0;
  const pairs = record.pairReplies(expectation.ping);
  for (const pair of expectedPairs(expectation.ping, record, pairs)) {
    const value = rttSummary({ ...pair, replies: repliesIn(pair.replies, record.originUnixMs, window) })[statistic];
    const name = `${pair.from} -> ${pair.to}`;
    const bestUs = optimum(pair.from, pair.to);
    if (value === null) wrong.push(`${name}: no reply`);
    else {
      worst = Math.max(worst, value);
      const boundUs = within === null || bestUs === undefined ? null : limitUs(bestUs, within);
      if (atMostUs !== null && value > atMostUs) wrong.push(`${name}: ${formatMs(value / 1_000)}`);
      if (atLeastUs !== null && value < atLeastUs) wrong.push(`${name}: ${formatMs(value / 1_000)}`);
      if (within !== null && boundUs === null) wrong.push(`${name}: the underlay has no way`);
      if (boundUs !== null && value > boundUs) {
        wrong.push(`${name}: ${formatMs(value / 1_000)}, optimum ${formatMs((bestUs ?? 0) / 1_000)}`);
      }
      if (meanWithin !== null && bestUs !== undefined && bestUs > 0) {
        ratios.push({ seen: value / bestUs, bound: limitUs(bestUs, meanWithin) / bestUs });
      }
    }
  }
  const seenMean = summarise(ratios.map((r) => r.seen)).mean;
  const boundMean = summarise(ratios.map((r) => r.bound)).mean;
  const meanOk = meanWithin === null || (seenMean !== null && boundMean !== null && seenMean <= boundMean);
  const bounds = [
    ...(atMostUs === null ? [] : [`at most ${formatMs(atMostUs / 1_000)}`]),
    ...(atLeastUs === null ? [] : [`at least ${formatMs(atLeastUs / 1_000)}`]),
    ...(within === null ? [] : [`within ${boundText(within)} of the optimum`]),
    ...(meanWithin === null ? [] : [`mean over pairs within ${boundText(meanWithin)}`]),
  ];
  const mean = seenMean === null ? '' : `, mean ${((seenMean - 1) * 100).toFixed(2)} % over the optimum`;
  return {
    what: `rtt ${statistic} of ping ${expectation.ping} ${bounds.join(', ')}${inWindow(window)}`,
    ok: wrong.length === 0 && meanOk && pairs.length > 0,
    seen:
      pairs.length === 0
        ? 'not measured'
        : listed(wrong, `${pairs.length} pairs, highest ${formatMs(worst / 1_000)}${mean}`),
  };
}

/** Pairs that the ping was to measure; those that it did not get to are there without replies. */
function expectedPairs(ping: string, record: RunRecord, seen: readonly PairReplies[]): PairReplies[] {
  const spec = record.scenario.pings.find((p) => p.name === ping);
  const wanted =
    spec?.pairs === 'all' ? orderedPairs(record.scenario.hosts.map((h) => h.name)) : spec ? [spec.pairs] : [];
  const byKey = new Map(seen.map((pair) => [pairKey(pair.from, pair.to), pair]));
  return wanted.map((pair) => byKey.get(pairKey(pair.from, pair.to)) ?? { ...pair, sent: 0, replies: [] });
}

function judgePath({ from, to, path, byMs, untilMs }: Of<'path'>, record: RunRecord): ExpectationResult {
  const wanted = path.join(' > ');
  const until = untilMs === null || untilMs === byMs ? '' : ` until ${formatMs(untilMs)}`;
  const what = `path ${wanted} ${untilMs === byMs ? 'at' : 'by'} ${formatMs(byMs)}${until}`;
  const atBy = pathAt(record, from, to, byMs).join(' > ');
  const since = record.pathChanges.findLast((c) => c.from === from && c.to === to && c.at * 1_000 <= byMs);
  const left = record.pathChanges.find(
    (c) => c.from === from && c.to === to && c.at * 1_000 > byMs && untilMs !== null && c.at * 1_000 < untilMs,
  );
  if (left !== undefined) {
    return { what, ok: false, seen: `${left.after.join(' > ') || 'no path'} from ${formatMs(left.at * 1_000)} on` };
  }
  const seenOnce = record.pathChanges.some(
    (c) => c.from === from && c.to === to && c.at * 1_000 <= byMs && c.at >= 0 && c.after.join(' > ') === wanted,
  );
  const ok = atBy === wanted || (untilMs === null && seenOnce);
  const when =
    since === undefined ? '' : since.at < 0 ? ' since before the start' : ` since ${formatMs(since.at * 1_000)}`;
  return { what, ok, seen: `${atBy || 'no path'}${when}` };
}

function judgePathChanges({ pairs, bound, window }: Of<'path-changes'>, record: RunRecord): ExpectationResult {
  const changes = record.pathChanges.filter(
    (change) =>
      change.at * 1_000 >= window.fromMs &&
      change.at * 1_000 < window.toMs &&
      (pairs === null || pairs.some((pair) => pair.from === change.from && pair.to === change.to)),
  );
  const { atMost, atLeast } = bound;
  const limits = atMost === atLeast ? `exactly ${atMost}` : `${atLeast ?? 0} to ${atMost ?? 'any number'}`;
  const ok = (atMost === null || changes.length <= atMost) && (atLeast === null || changes.length >= atLeast);
  const lines = changes.map(
    (c) => `${c.from} -> ${c.to} at ${formatMs(c.at * 1_000)} to ${c.after.join(' > ') || 'none'}`,
  );
  return {
    what: `path changes of ${pairs === null ? 'all pairs' : pairText(pairs)}: ${limits}${inWindow(window)}`,
    ok,
    seen: ok ? `${changes.length}` : listed(lines, `${changes.length}`),
  };
}

function judgeOptimalPaths({ bound, hosts }: Of<'optimal-paths'>, record: RunRecord): ExpectationResult {
  const optimum = optimaUs(record);
  const { shapes } = record.scenario;
  const wrong = orderedPairs(hosts).flatMap(({ from, to }) => {
    const bestUs = optimum(from, to);
    const path = record.finalPaths.find((p) => p.from === from && p.to === to)?.path ?? [];
    if (bestUs === undefined) return [];
    const ownUs = matrixRttUs(path, (a, b) => shapes.get(pairKey(a, b))?.oneWayDelayUs ?? 0);
    if (path.length >= 2 && ownUs <= limitUs(bestUs, bound)) return [];
    return [
      `${from} -> ${to}: ${path.join(' > ') || 'no path'} ${formatMs(ownUs / 1_000)}, optimum ${formatMs(bestUs / 1_000)}`,
    ];
  });
  return {
    what: `every path at the end within ${boundText(bound)} of the optimum of the underlay`,
    ok: wrong.length === 0,
    seen: wrong.length === 0 ? 'they are' : listed(wrong, `${wrong.length} are not`),
  };
}

/** RTT of a path by the underlay's delays, there and back. */
export function matrixRttUs(path: readonly string[], delayUs: (from: string, to: string) => number): number {
  return path.slice(1).reduce((sum, to, i) => {
    const from = path[i] ?? to;
    return sum + delayUs(from, to) + delayUs(to, from);
  }, 0);
}

function judgeLeaks(bound: Of<'leaks'>, record: RunRecord): ExpectationResult {
  const what = `per host at most ${Math.round(bound.memoryBytes / 1024 ** 2)} MiB, ${bound.descriptors} descriptors, ${bound.processes} processes more than at the start, and the same peers`;
  const resources = record.resources;
  if (resources === null) return { what, ok: false, seen: 'not measured' };
  const wrong: string[] = [];
  for (const [host, after] of resources.after) {
    const before = resources.before.get(host);
    if (before === undefined) continue;
    const moreMib = (after.memoryBytes - before.memoryBytes) / 1024 ** 2;
    if (after.memoryBytes - before.memoryBytes > bound.memoryBytes)
      wrong.push(`${host}: ${moreMib.toFixed(0)} MiB more`);
    const more = (key: 'descriptors' | 'processes') => after[key] - before[key];
    if (more('descriptors') > bound.descriptors) wrong.push(`${host}: ${more('descriptors')} descriptors more`);
    if (more('processes') > bound.processes) wrong.push(`${host}: ${more('processes')} processes more`);
    if (after.peers !== before.peers) wrong.push(`${host}: ${after.peers} peers, ${before.peers} before`);
  }
  return {
    what,
    ok: wrong.length === 0,
    seen: wrong.length === 0 ? 'no more than that' : listed(wrong, `${wrong.length}`),
  };
}

function limitUs(bestUs: number, bound: OptimumBound): number {
  return bestUs + bound.plusUs + (bestUs * bound.percent) / 100;
}

function boundText({ plusUs, percent }: OptimumBound): string {
  return (
    [...(plusUs > 0 ? [formatMs(plusUs / 1_000)] : []), ...(percent > 0 ? [`${percent} %`] : [])].join(' + ') || '0'
  );
}

function inWindow(window: TimeWindow | null): string {
  return window === null ? '' : ` from ${formatMs(window.fromMs)} to ${formatMs(window.toMs)}`;
}

function listed(wrong: readonly string[], summary: string): string {
  if (wrong.length === 0) return summary;
  const more = wrong.length > NAMED ? `; ${wrong.length - NAMED} more` : '';
  return `${summary}: ${wrong.slice(0, NAMED).join('; ')}${more}`;
}
