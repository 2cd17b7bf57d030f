/** Scenarios that ship, by name: `thalweg lab run detour`. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ThalwegError } from '../../protocol/error.ts';
import { projectRoot } from '../../protocol/program-file.ts';
import { readScenario } from './scenario-file.ts';
import { suggest } from './suggestion.ts';

/** A scenario as `thalweg lab run` without a name lists it. */
export interface ShippedScenario {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly durationMs: number;
  readonly description: string;
  readonly file: string;
}

/** The YAML files are not compiled: they lie beside the sources, also for what runs from dist/. */
const FOLDER = join(projectRoot(), 'netlab/scenarios');
/** What cannot be a path: no slash, no dot. */
const BARE_NAME = /^[A-Za-z0-9_-]+$/;

/** Names, sorted. */
export function shippedNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/**
 * The path of what was named: a file as it is, a bare name as a scenario that ships. Throws invalid_argument for a bare
 * name that is neither.
 */
export function scenarioFile(named: string): string {
  if (!BARE_NAME.test(named) || isFile(named)) return named;
  const names = shippedNames();
  if (names.includes(named)) return join(FOLDER, `${named}.yaml`);
  const near = suggest(named, names).replace(/; known:.*/, '');
  throw new ThalwegError('invalid_argument', `there is no scenario ${named.slice(0, 60)}${near}`, {
    fields: { scenario: named.slice(0, 60) },
    nextStep: `name one that ships (${names.join(', ')}), or the path of a scenario file`,
  });
}

export function listShipped(): Promise<ShippedScenario[]> {
  return Promise.all(
    shippedNames().map(async (name) => {
      const file = scenarioFile(name);
      const { hosts, durationMs, description } = await readScenario(file);
      return { name, hosts: hosts.map((host) => host.name), durationMs, description: description.trim(), file };
    }),
  );
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
