/** `thalweg lab run FILE`: a lab for one scenario, its run, and its removal whatever happens. */
import { ApiClient } from '../../protocol/api-client.ts';
import { type Clock, systemClock } from '../../protocol/clock.ts';
import { silentLogger } from '../../protocol/log.ts';
import { Lab } from '../lab.ts';
import type { LabProgress, LabSpec } from '../lab-spec.ts';
import { labSettings } from './lab-settings.ts';
import { stayWithLab } from './lab-stay.ts';
import type { Scenario } from './scenario.ts';
import { readScenario } from './scenario-file.ts';
import type { RunProgress, ScenarioResult } from './scenario-result.ts';
import { type ScenarioOutcome, ScenarioRun } from './scenario-run.ts';

export interface LabRunOptions {
  readonly file: string;
  /** The caller prints the result as JSON; nothing else may go to standard output then. */
  readonly json: boolean;
  /** Leaves the lab up; the result names it. */
  readonly keep?: boolean;
  /** After the result (told as `finished`) goes on telling paths until it is interrupted; then the lab is removed. */
  readonly stay?: boolean;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Ends the run early; the lab is removed all the same. SIGINT and SIGTERM do too. */
  readonly signal?: AbortSignal;
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Throws not_found, invalid_scenario, and what building the lab throws. A missed expectation is not an error. */
export async function labRun(options: LabRunOptions): Promise<ScenarioResult> {
  const scenario = await readScenario(options.file);
  const onProgress = options.onProgress ?? (() => {});
  const hosts = scenario.hosts.map((host) => host.name);
  onProgress({ kind: 'scenario', name: scenario.name, description: scenario.description, hosts });
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  options.signal?.addEventListener('abort', interrupt, { once: true });
  for (const signal of ENDING_SIGNALS) process.on(signal, interrupt);
  // Timers of the clock do not keep a process alive; an open port does.
  const alive = new MessageChannel();
  alive.port1.on('message', () => {});
  try {
    return await runOnLab(scenario, options, onProgress, abort.signal);
  } finally {
    alive.port1.close();
    for (const signal of ENDING_SIGNALS) process.off(signal, interrupt);
    options.signal?.removeEventListener('abort', interrupt);
  }
}

async function runOnLab(
  scenario: Scenario,
  { keep = false, stay = false }: Pick<LabRunOptions, 'keep' | 'stay'>,
  onProgress: (progress: RunProgress) => void,
  signal: AbortSignal,
): Promise<ScenarioResult> {
  const clock: Clock = systemClock;
  const startedAt = new Date(clock.nowMs()).toISOString();
  const report = ({ stage, done, total }: LabProgress) => onProgress({ kind: 'building', stage, done, total });
  const lab = await Lab.up(labSpec(scenario, keep), { log: silentLogger, onProgress: report });
  let kept = false;
  try {
    const deps = { lab, api: new ApiClient(lab.apiTarget), clock, hrtimeNs: process.hrtime.bigint, onProgress };
    const outcome = await new ScenarioRun(deps, scenario).run(signal);
    kept = keep && !signal.aborted;
    const result = {
      ...resultOf(scenario, lab.driver, startedAt, outcome),
      ...(kept ? { lab: lab.name } : {}),
    };
    onProgress({ kind: 'finished', result });
    if (stay && !signal.aborted) {
      onProgress({ kind: 'staying', lab: lab.name });
      await stayWithLab(deps, outcome.originUnixMs, signal);
    }
    return result;
  } finally {
    if (!kept) await lab.down();
  }
}

function resultOf(scenario: Scenario, driver: string, startedAt: string, outcome: ScenarioOutcome): ScenarioResult {
  const { events, pathChanges, measurements, expectations, machine } = outcome;
  const missed = expectations.filter((e) => !e.ok).map((e) => `expected ${e.what}; seen: ${e.seen}`);
  const wrong = [...missed, ...outcome.problems];
  return {
    scenario: scenario.name,
    hosts: scenario.hosts.map((host) => host.name),
    driver,
    startedAt,
    events,
    pathChanges,
    measurements,
    expectations,
    ok: wrong.length === 0,
    reasons: wrong.length > 0 && machine !== null ? [...wrong, machine] : wrong,
  };
}

/** Lab names are short and unique on the machine: the scenario's first letters and this process. */
export function labSpec(scenario: Scenario, keepOnExit: boolean): LabSpec {
  return {
    name: `${scenario.name.slice(0, 14).replace(/-+$/, '')}-${process.pid.toString(36)}`,
    hosts: scenario.hosts.map(({ name, transit }) => ({ name, transit })),
    ...labSettings(scenario),
    keepOnExit,
  };
}
