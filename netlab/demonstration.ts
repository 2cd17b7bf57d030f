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
  /** Stay with the last lab up, its view live and its API open, until SIGINT or SIGTERM. */
  readonly keep: boolean;
  /** Default: standard output. */
  readonly out?: Screen;
}

/** What `--json` prints. */
export interface DemonstrationSummary {
  readonly ok: boolean;
  readonly scenarios: readonly ScenarioResult[];
  /** Name of the lab that stays up until Ctrl-C. */
  readonly lab?: string;
}

const SCENARIOS = ['detour-short', 'clouds'] as const;

/**
 * Exit code: 0 when everything was as expected, 1 when not; with `keep` 0 once it was seen to its end and stopped by a
 * signal, since the summary was shown before. Throws what building a lab throws.
 */
export async function demonstrate(options: DemonstrationOptions): Promise<number> {
  const { json, keep } = options;
  const out = options.out ?? processScreen();
  const view = new LiveView({ screen: out, clock: systemClock });
  const gateway = new ApiGateway();
  const results: ScenarioResult[] = [];
  let stayed = false;
  const conclude = (lab?: string) => {
    const summary = summaryOf(results, lab);
    if (json) out.write(`${JSON.stringify(summary, null, 2)}\n`);
    else for (const line of closingLines(summary)) view.say(line);
  };
  try {
    const address = await gateway.start();
    if (!json) {
      view.say('Thalweg builds a mesh in network namespaces of this machine, bends a link and moves the traffic.');
      view.say(`The core's API while it runs: ${address}/v1/paths`);
    }
    for (const name of SCENARIOS) {
      const onProgress = (progress: RunProgress) => {
        if (progress.kind === 'api') gateway.point(progress.target);
        if (progress.kind === 'staying') {
          stayed = true;
          conclude(progress.lab);
        }
        if (!json) view.note(progress);
        if (progress.kind !== 'finished') return;
        results.push(progress.result);
        if (!json) view.finish();
      };
      const stay = keep && name === SCENARIOS.at(-1);
      const result = await labRun({ file: scenarioFile(name), json, stay, onProgress });
      gateway.point(null);
      if (result.reasons.includes('the run was interrupted')) break;
    }
  } finally {
    await gateway.stop();
  }
  if (stayed) {
    if (!json) {
      view.finish();
      view.say('Stopped; the lab is taken down.');
    }
    return 0;
  }
  conclude();
  return summaryOf(results).ok ? 0 : 1;
}

function summaryOf(scenarios: readonly ScenarioResult[], lab?: string): DemonstrationSummary {
  return {
    ok: scenarios.length === SCENARIOS.length && scenarios.every((result) => result.ok),
    scenarios: [...scenarios],
    ...(lab === undefined ? {} : { lab }),
  };
}

function closingLines({ ok, scenarios, lab }: DemonstrationSummary): string[] {
  const verdicts = scenarios.map((result) => `${result.scenario} ${result.ok ? 'as expected' : 'not as expected'}`);
  const lines = [`${ok ? 'Done' : 'Something was not as expected'}: ${verdicts.join('; ') || 'nothing was run'}.`];
  if (lab === undefined) return lines;
  const core = `unix:/run/thalweg-lab/${lab}/core/core.sock`;
  const [from = 'A', to = 'B'] = scenarios.at(-1)?.hosts ?? [];
  return [
    ...lines,
    '',
    `The lab ${lab} stays up until Ctrl-C. Look into it from another terminal:`,
    `  node dist/cli/main.js path ${from} ${to} --core ${core}`,
    `  node dist/cli/main.js lab exec --lab ${lab} ${from} -- ip route show table all`,
    '',
  ];
}
