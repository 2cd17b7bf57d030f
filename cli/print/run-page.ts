/** A run of a scenario on screen: lines while it goes on, a page at its end. */
import type { Measurement, RunProgress, ScenarioResult } from '../../netlab/scenario/scenario-result.ts';
import type { ShippedScenario } from '../../netlab/scenario/shipped-scenarios.ts';
import type { Paint } from './paint.ts';
import { route } from './path-page.ts';
import { duration, MISSING } from './quantity.ts';
import { plain, table } from './table.ts';

/** A mesh of 12 has 132 pairs: beyond this many rows JSON is the better reader. */
const MAX_ROWS = 60;

/** What `thalweg lab run` can run without a file. */
export function scenariosPage(scenarios: readonly ShippedScenario[], columns: number): string {
  const rows = scenarios.map((one) => [one.name, String(one.hosts.length), `${one.durationMs / 1000} s`]);
  const list = table(
    [{ title: 'SCENARIO' }, { title: 'HOSTS', align: 'right' }, { title: 'TAKES', align: 'right' }],
    rows,
  );
  const about = scenarios.map((one) => `${one.name}\n${wrapped(plain(one.description), Math.min(columns, 100))}`);
  return `${list}\n${about.join('\n')}\nRun one: thalweg lab run NAME\n`;
}

/** Words into indented lines of at most `columns`. */
function wrapped(text: string, columns: number): string {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** A line for stderr, or undefined for what is too frequent to be printed. */
export function runLine(progress: RunProgress): string | undefined {
  switch (progress.kind) {
    case 'scenario':
      return `${progress.name}: ${plain(progress.description.trim())}\nhosts: ${progress.hosts.join(', ')}\n`;
    case 'building':
      return progress.done === progress.total ? `${progress.stage} ${progress.done}/${progress.total}\n` : undefined;
    case 'api':
      return `core at ${progress.target}\n`;
    case 'started': {
      const steered =
        progress.steeredMs === null
          ? 'not steered in time'
          : `steered after ${(progress.steeredMs / 1000).toFixed(1)} s`;
      return `${steered}; running for ${duration(progress.durationMs)}\n`;
    }
    case 'event':
      return `${at(progress.event.at)}  ${plain(progress.event.what)}\n`;
    case 'pathChange': {
      const { change } = progress;
      return `${at(change.at)}  ${plain(change.from)} to ${plain(change.to)}: ${route(change.after)} (${plain(change.reason)})\n`;
    }
    case 'paths':
    case 'reply':
    case 'finished':
    case 'staying':
      return undefined;
  }
}

export function runPage(result: ScenarioResult, paint: Paint): string {
  const parts = [`${paint.strong(result.scenario)} on ${result.hosts.length} hosts, links by ${result.driver}\n`];
  if (result.measurements.length > 0) parts.push(measurementTable(result.measurements));
  if (result.expectations.length > 0) {
    const rows = result.expectations.map((one) => [
      one.ok ? paint.good('met') : paint.bad('missed'),
      plain(one.what),
      plain(one.seen),
    ]);
    parts.push(table([{ title: 'VERDICT' }, { title: 'EXPECTED' }, { title: 'SEEN' }], rows));
  }
  if (result.lab !== undefined) parts.push(`The lab is still up: thalweg lab status ${result.lab}\n`);
  const reasons = result.reasons.map((reason) => `  ${plain(reason)}\n`).join('');
  parts.push(result.ok ? paint.good('All expectations met.\n') : `${paint.bad('Not as expected:')}\n${reasons}`);
  return parts.join('\n');
}

function measurementTable(measurements: readonly Measurement[]): string {
  const columns = [
    { title: 'MEASURED' },
    { title: 'FROM' },
    { title: 'TO' },
    { title: 'VALUE', align: 'right' as const },
    { title: 'UNIT' },
  ];
  const rows = measurements
    .slice(0, MAX_ROWS)
    .map((one) => [plain(one.name), plain(one.from ?? ''), plain(one.to ?? ''), number(one.value), one.unit]);
  const more = measurements.length - MAX_ROWS;
  return table(columns, rows) + (more > 0 ? `and ${more} more: see --json\n` : '');
}

function number(value: number | null): string {
  return value === null ? MISSING : String(Number(value.toFixed(3)));
}

function at(seconds: number): string {
  return `${seconds.toFixed(1).padStart(6)} s`;
}
