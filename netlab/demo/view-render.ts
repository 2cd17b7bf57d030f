/** The live view as lines of text for a screen of a given size. Pure. */
import { formatMs } from '../scenario/quantity.ts';
import type { PairView, ScenarioResult } from '../scenario/scenario-result.ts';
import { routeText, type ViewState } from './view-state.ts';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

export interface Style {
  readonly colour: boolean;
}

/** Lines of the view that are not pairs or log: title, description (2), progress, header, gaps (3). */
const FRAME_LINES = 8;
/** The log gets this many lines where there is room for them and for a few pairs. */
const LOG_LINES = 8;
/** A screen that is too small for a table still shows this many pairs. */
const FEWEST_PAIRS = 3;
/** Below this width a column is left out: first since when, then the direct way. */
const COLUMN_WIDTHS = { since: 72, direct: 44 } as const;
const BAR_WIDTH = 24;
/** Narrower than this and nothing readable is left; lines are simply cut there. */
const NARROWEST = 24;

export function renderView(state: ViewState, size: ScreenSize, style: Style): string[] {
  const columns = Math.max(NARROWEST, size.columns);
  const lines = [
    paint(truncate(`Thalweg  ${state.scenario}`, columns), 'bold', style),
    ...wrap(state.description, columns, 2),
  ];
  const progress = progressLine(state);
  if (progress !== null) lines.push('', truncate(progress, columns));
  if (state.pairs.length > 0) {
    const logLines = Math.min(LOG_LINES, state.log.length);
    const room = Math.max(FEWEST_PAIRS, size.rows - FRAME_LINES - logLines);
    lines.push('', ...pairTable(state, columns, room, style));
  }
  if (state.log.length > 0) {
    lines.push('');
    for (const { at, kind, text } of state.log.slice(-LOG_LINES)) {
      const line = truncate(`${`${at.toFixed(1)} s`.padStart(8)}  ${text}`, columns);
      lines.push(kind === 'event' ? paint(line, 'yellow', style) : line);
    }
  }
  return lines;
}

/** How far it is; null before anything has begun. */
function progressLine(state: ViewState): string | null {
  const mesh = state.converged ? 'settled' : 'moving';
  if (state.staying) return `up for ${formatMs(state.atMs)}, ${mesh}; Ctrl-C takes the lab down`;
  if (state.building !== null) {
    const { stage, done, total } = state.building;
    if (total > 1) return `${bar(done, total)} ${stage}, ${done} of ${total}`;
    const pairs = state.hostCount * (state.hostCount - 1);
    const measured = state.pairs.filter((pair) => pair.directRttUs !== null).length;
    if (measured === 0) return `${bar(done, total)} ${stage}`;
    return `${bar(measured, pairs)} ${stage}: ${measured} of ${pairs} pairs measured`;
  }
  if (state.durationMs === 0) return null;
  return `${bar(state.atMs, state.durationMs)} ${formatMs(state.atMs)} of ${formatMs(state.durationMs)}, ${mesh}`;
}

/** Pairs with a detour first, those that gain most at the top; then the direct ones. */
function pairTable(state: ViewState, columns: number, room: number, style: Style): string[] {
  const gain = (pair: PairView) => (pair.directRttUs ?? 0) - (pair.rttUs ?? 0);
  const detours = (pair: PairView) => (pair.path.length > 2 ? 1 : 0);
  const sorted = [...state.pairs].sort(
    (a, b) => detours(b) - detours(a) || detours(a) * (gain(b) - gain(a)) || compare(a, b),
  );
  const shown = sorted.slice(0, sorted.length > room ? room - 1 : room);
  const cells = shown.map((pair) => pairCells(state, pair));
  const header = ['pair', 'direct', 'steered', 'path', 'since'];
  const wanted = header.filter(
    (name) =>
      (name !== 'since' || columns >= COLUMN_WIDTHS.since) && (name !== 'direct' || columns >= COLUMN_WIDTHS.direct),
  );
  const indexes = wanted.map((name) => header.indexOf(name));
  const widths = indexes.map((i) => Math.max(header[i]?.length ?? 0, ...cells.map((row) => row[i]?.length ?? 0)));
  // the pair and the path share what is too much
  const over = widths.reduce((sum, width) => sum + width + 2, -2) - columns;
  if (over > 0) {
    const [pair, path] = [wanted.indexOf('pair'), wanted.indexOf('path')];
    const cutPath = Math.min(Math.ceil(over / 2), Math.max(0, (widths[path] ?? 0) - 8));
    widths[path] = (widths[path] ?? 0) - cutPath;
    widths[pair] = Math.max(8, (widths[pair] ?? 0) - (over - cutPath));
  }
  const row = (values: readonly string[]) =>
    truncate(
      indexes
        .map((column, i) => {
          const text = truncate(values[column] ?? '', widths[i] ?? 0);
          return column === 1 || column === 2 ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0);
        })
        .join('  ')
        .trimEnd(),
      columns,
    );
  const lines = [paint(row(header), 'dim', style)];
  for (const [i, values] of cells.entries()) {
    const detour = (shown[i]?.path.length ?? 0) > 2;
    lines.push(detour ? paint(row(values), 'green', style) : row(values));
  }
  if (shown.length < sorted.length) {
    const hidden = sorted.slice(shown.length);
    lines.push(paint(truncate(hiddenText(state.pairs, hidden), columns), 'dim', style));
  }
  return lines;
}

/** What the rows that do not fit are: `of 132 pairs 110 are direct, 22 go round, 4 of them not shown`. */
function hiddenText(pairs: readonly PairView[], hidden: readonly PairView[]): string {
  const kinds = (of: readonly PairView[]) =>
    [2, 3].map((hosts) => of.filter((p) => Math.min(3, p.path.length) === hosts).length);
  const [direct = 0, round = 0] = kinds(pairs);
  const away = pairs.length - direct - round;
  const [, hiddenRound = 0] = kinds(hidden);
  return [
    `of ${pairs.length} pairs ${direct} are direct`,
    `${round} go round${hiddenRound > 0 ? `, ${hiddenRound} of them not shown` : ''}`,
    ...(away > 0 ? [`${away} unreachable`] : []),
  ].join(', ');
}

function pairCells(state: ViewState, pair: PairView): string[] {
  const key = `${pair.from}>${pair.to}`;
  const pinged = state.replies.get(key);
  const changed = state.changedAt.get(key);
  return [
    `${pair.from} -> ${pair.to}`,
    pair.directRttUs === null ? '-' : rtt(pair.directRttUs),
    pinged !== undefined ? rtt(pinged) : pair.rttUs === null ? '-' : `(${rtt(pair.rttUs)})`,
    routeText(pair.path),
    changed === undefined ? 'the start' : `${changed.toFixed(1)} s`,
  ];
}

function rtt(us: number): string {
  return `${(us / 1_000).toFixed(1)} ms`;
}

/** Pairs whose round trip was only computed from the probes stand in brackets. */
export const BRACKETS_NOTE = 'steered: as ping measures it through the overlay; in brackets: from the probes';

/** Verdict and figures of a finished scenario. */
export function renderResult(result: ScenarioResult, columns: number, style: Style): string[] {
  const title = `${result.scenario}: ${result.ok ? 'all as expected' : 'NOT as expected'}`;
  const lines = [paint(truncate(title, columns), result.ok ? 'green' : 'red', style)];
  for (const { ok, what, seen } of result.expectations) {
    const [first = '', ...rest] = wrap(`${what}: ${seen}`, columns - 4, ok ? 2 : 8);
    lines.push(`${paint(ok ? ' ok ' : 'MISS', ok ? 'green' : 'red', style)} ${first}`);
    lines.push(...rest.map((line) => `     ${line}`));
  }
  const missed = new Set(result.expectations.filter((e) => !e.ok).map((e) => `expected ${e.what}; seen: ${e.seen}`));
  for (const reason of result.reasons.filter((reason) => !missed.has(reason))) {
    for (const [i, line] of wrap(reason, columns - 5, 8).entries()) lines.push(`${i === 0 ? 'MISS' : '    '} ${line}`);
  }
  return lines;
}

/** Words into lines of at most `columns`; what does not fit `most` lines ends in an ellipsis. */
export function wrap(text: string, columns: number, most: number): string[] {
  const width = Math.max(8, columns);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((w) => w !== '')) {
    if (line === '') line = word;
    else if (line.length + 1 + word.length <= width) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '') lines.push(line);
  if (lines.length <= most) return lines.map((l) => truncate(l, width));
  const kept = lines.slice(0, most);
  return kept.map((l, i) => (i === most - 1 ? truncate(`${l} …`, width) : truncate(l, width)));
}

/** Cut to a width, with an ellipsis when something is cut. */
export function truncate(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

function bar(done: number, total: number): string {
  const filled = total <= 0 ? 0 : Math.min(BAR_WIDTH, Math.round((done / total) * BAR_WIDTH));
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}

const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const;

function paint(text: string, code: keyof typeof CODES, { colour }: Style): string {
  return colour && text !== '' ? `\u001b[${CODES[code]}m${text}\u001b[0m` : text;
}

function compare(a: PairView, b: PairView): number {
  const [x, y] = [`${a.from}>${a.to}`, `${b.from}>${b.to}`];
  return x < y ? -1 : x > y ? 1 : 0;
}
