/** `npm start`: a mesh that builds itself and steers, shown on two scenarios. */
import { systemClock } from '../protocol/clock.ts';
import { ApiGateway } from './demo/api-gateway.ts';
import { processScreen } from './demo/process-screen.ts';
import { LiveView, type Screen } from './live-view.ts';
import { labRun } from './scenario/lab-run.ts';
import type { RunProgress, ScenarioResult } from './scenario/scenario-result.ts';
import { scenarioFile } from './scenario/shipped-scenarios.ts';

export interface DemonstrationOptions {
  /** Print nothing but the summary, as one JSON object. */
  readonly json: boolean;
  /** Leave the last lab up. */
  readonly keep: boolean;
  /** Default: standard output. */
  readonly out?: Screen;
}

/** What `--json` prints. */
export interface DemonstrationSummary {
  readonly ok: boolean;
  readonly scenarios: readonly ScenarioResult[];
  /** Name of the lab that was left up. */
  readonly lab?: string;
}

const SCENARIOS = ['detour-short', 'clouds'] as const;

/** Exit code: 0 when everything was as expected, 1 when not. Throws what building a lab throws. */
export async function demonstrate(options: DemonstrationOptions): Promise<number> {
  const { json, keep } = options;
  const out = options.out ?? processScreen();
  const view = new LiveView({ screen: out, clock: systemClock });
  const gateway = new ApiGateway();
  const abort = new AbortController();
  const results: ScenarioResult[] = [];
  try {
    const address = await gateway.start();
    if (!json) {
      view.say('Thalweg builds a mesh in network namespaces of this machine, bends a link and moves the traffic.');
      view.say(`The core's API while it runs: ${address}/v1/paths`);
    }
    for (const name of SCENARIOS) {
      const last = name === SCENARIOS.at(-1);
      const onProgress = (progress: RunProgress) => {
        if (progress.kind === 'api') gateway.point(progress.target);
        if (!json) view.note(progress);
      };
      const file = scenarioFile(name);
      const result = await labRun({ file, json, keep: keep && last, onProgress, signal: abort.signal });
      gateway.point(null);
      results.push(result);
      if (!json) view.finish();
      if (result.reasons.includes('the run was interrupted')) break;
    }
  } finally {
    await gateway.stop();
  }
  const lab = results.at(-1)?.lab;
  const summary: DemonstrationSummary = {
    ok: results.length === SCENARIOS.length && results.every((result) => result.ok),
    scenarios: results,
    ...(lab === undefined ? {} : { lab }),
  };
  if (json) out.write(`${JSON.stringify(summary, null, 2)}\n`);
  else for (const line of closingLines(summary)) view.say(line);
  return summary.ok ? 0 : 1;
}

function closingLines({ ok, scenarios, lab }: DemonstrationSummary): string[] {
  const verdicts = scenarios.map((result) => `${result.scenario} ${result.ok ? 'as expected' : 'not as expected'}`);
  const lines = [`${ok ? 'Done' : 'Something was not as expected'}: ${verdicts.join('; ')}.`];
  if (lab === undefined) return lines;
  const core = `unix:/run/thalweg-lab/${lab}/core/core.sock`;
  return [
    ...lines,
    `The lab ${lab} is still up. Look into it with:`,
    `  node dist/cli/main.js --core ${core} status`,
    `  node dist/cli/main.js --core ${core} path ${scenarios.at(-1)?.hosts.slice(0, 2).join(' ') ?? 'A B'}`,
    '  node dist/cli/main.js lab status',
    `  node dist/cli/main.js lab exec --help`,
    `Remove it with: node dist/cli/main.js lab down ${lab}`,
  ];
}
