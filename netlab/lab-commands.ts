/** What `thalweg lab ...` does, as functions that return plain objects; the CLI prints them. */
import { constants } from 'node:os';
import { ThalwegError } from '../protocol/error.ts';
import { type Logger, silentLogger } from '../protocol/log.ts';
import { isLabName } from './host-plan.ts';
import { Lab, type LabProgress, type LabSummary, type RemovalReport } from './lab.ts';
import { listLabs, removeLab, requireRoot } from './lab-removal.ts';
import type { DriverName, SpawnOptions } from './lab-spec.ts';
import { type LinkShape, PERFECT_LINK } from './link-shape.ts';
import { labSettings } from './scenario/lab-settings.ts';
import type { Scenario } from './scenario/scenario.ts';
import { readScenario } from './scenario/scenario-file.ts';

export { labRun } from './scenario/lab-run.ts';

export interface LabUpOptions {
  /** Scenario file whose hosts and underlay are built; its events are not run. */
  readonly file: string;
  /** Default: the scenario's name. */
  readonly name?: string;
  /** Default: what the scenario says, or the cheapest driver that can do it. */
  readonly driver?: DriverName;
  /** Only hosts and underlay: no core, no agents. */
  readonly fabricOnly?: boolean;
  readonly log?: Logger;
  readonly onProgress?: (progress: LabProgress) => void;
}

export interface LabUpResult {
  readonly name: string;
  readonly driver: DriverName;
  readonly apiTarget: string;
  readonly hosts: readonly { readonly name: string; readonly underlayAddress: string; readonly dir: string }[];
}

export interface LabStatusResult extends LabSummary {
  /** Links that are not perfect, as they are now. */
  readonly links: readonly (LinkShape & { readonly from: string; readonly to: string })[];
}

/** Builds a lab that stays, and unless `fabricOnly` the mesh in it. Removes all of it when a step fails. */
export async function labUp(options: LabUpOptions): Promise<LabUpResult> {
  const scenario = await readScenario(options.file);
  const deps = { log: options.log ?? silentLogger, onProgress: options.onProgress ?? (() => {}) };
  const lab = await Lab.up(
    {
      name: options.name ?? labNameOf(scenario),
      hosts: scenario.hosts,
      ...labSettings(scenario),
      ...(options.driver === undefined ? {} : { driver: options.driver }),
      keepOnExit: false, // until it is complete
    },
    deps,
  );
  try {
    const joining = scenario.hosts.filter((host) => host.joins === 'now').map((host) => host.name);
    if (options.fabricOnly !== true) await startMesh(lab, joining, deps.onProgress);
  } catch (cause) {
    await lab.down();
    throw cause;
  }
  lab.keep();
  const hosts = lab.hosts.map(({ name }) => ({
    name,
    underlayAddress: lab.underlayAddress(name),
    dir: lab.hostDir(name),
  }));
  return { name: lab.name, driver: lab.driver, apiTarget: lab.apiTarget, hosts };
}

/** Starts the core, joins the hosts and starts their agents, all at once. */
export async function startMesh(
  lab: Lab,
  hosts: readonly string[],
  onProgress: (progress: LabProgress) => void,
): Promise<void> {
  onProgress({ stage: 'core', done: 0, total: 1 });
  await lab.startCore();
  onProgress({ stage: 'core', done: 1, total: 1 });
  const done = { join: 0, agents: 0 };
  const total = hosts.length;
  await Promise.all(
    hosts.map(async (host) => {
      await lab.join(host);
      onProgress({ stage: 'join', done: ++done.join, total });
      await lab.startAgent(host);
      onProgress({ stage: 'agents', done: ++done.agents, total });
    }),
  );
}

/**
 * Runs a program on a host of a lab that is up, with this process's terminal. Resolves to its exit code. `name`
 * undefined: the only lab there is. Throws not_found, invalid_argument.
 */
export async function labExec(options: {
  readonly name?: string;
  readonly host: string;
  readonly argv: readonly string[];
  readonly stdio?: SpawnOptions['stdio'];
}): Promise<{ readonly exitCode: number }> {
  if (options.argv.length === 0) {
    throw new ThalwegError('invalid_argument', 'lab exec needs a program to run', {
      nextStep: 'as in: thalweg lab exec HOST -- ip route',
    });
  }
  const lab = await Lab.find(options.name ?? (await onlyLab()));
  const child = lab.spawn(options.host, options.argv, { stdio: options.stdio ?? 'inherit' });
  const theirs = () => {}; // Ctrl-C reaches the program by the terminal; it decides
  process.on('SIGINT', theirs);
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) =>
        resolve({ exitCode: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) }),
      );
    });
  } finally {
    process.off('SIGINT', theirs);
  }
}

/** One lab, or every lab on this machine when `name` is undefined. Throws not_found. */
export async function labStatus(options: { readonly name?: string }): Promise<readonly LabStatusResult[]> {
  const all = await listLabs();
  const wanted = options.name === undefined ? all : all.filter((lab) => lab.name === options.name);
  if (options.name !== undefined && wanted.length === 0) throw noLab(options.name, all);
  return Promise.all(wanted.map(async (lab) => ({ ...lab, links: await shapedLinks(lab) })));
}

/** Removes one lab, or with `all` every lab. A lab that is not there is nothing to remove. Throws missing_privilege. */
export async function labDown(
  options: { readonly name: string } | { readonly all: true },
): Promise<readonly ({ readonly name: string } & RemovalReport)[]> {
  requireRoot('removing labs'); // also where none is seen: another user sees none of root's
  const names = 'name' in options ? [options.name] : (await listLabs()).map((lab) => lab.name);
  const reports: ({ readonly name: string } & RemovalReport)[] = [];
  for (const name of names) reports.push({ name, ...(await removeLab(name)) });
  return reports;
}

async function shapedLinks(lab: LabSummary): Promise<LabStatusResult['links']> {
  if (lab.state !== 'up') return [];
  const found = await Lab.find(lab.name);
  return lab.hosts.flatMap((from) =>
    lab.hosts.flatMap((to) => {
      if (from === to) return [];
      const shape = found.link(from, to);
      const perfect = Object.entries(PERFECT_LINK).every(([key, value]) => shape[key as keyof LinkShape] === value);
      return perfect ? [] : [{ from, to, ...shape }];
    }),
  );
}

async function onlyLab(): Promise<string> {
  const all = (await listLabs()).filter((lab) => lab.state === 'up');
  if (all.length === 1 && all[0] !== undefined) return all[0].name;
  if (all.length === 0) {
    throw new ThalwegError('not_found', 'no lab is up', {
      nextStep: 'build one, for instance with `thalweg lab up detour`',
    });
  }
  throw new ThalwegError('invalid_argument', `${all.length} labs are up: ${all.map((lab) => lab.name).join(', ')}`, {
    nextStep: 'name one with --lab',
  });
}

function noLab(name: string, all: readonly LabSummary[]): ThalwegError {
  const there = all.length === 0 ? 'there is none' : `there are ${all.map((lab) => lab.name).join(', ')}`;
  return new ThalwegError('not_found', `no lab named ${name.slice(0, 60)}: ${there}`, {
    nextStep: 'see `thalweg lab status`',
  });
}

function labNameOf(scenario: Scenario): string {
  const name = scenario.name.slice(0, 24).replace(/-+$/, '');
  if (isLabName(name)) return name;
  throw new ThalwegError('invalid_argument', `the scenario's name ${scenario.name} cannot name a lab`, {
    nextStep: 'pass --name',
  });
}
