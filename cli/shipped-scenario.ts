/** Scenarios by name: `thalweg lab run detour`. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the scenarios that ship lie, seen from the sources and from dist/. */
const FOLDERS = ['../netlab/scenarios/', '../../netlab/scenarios/'];

/** The path of what was named: a file as it is, else a scenario that ships. An unknown name stays what it is. */
export function scenarioFile(name: string, exists: (path: string) => boolean = existsSync): string {
  if (!/^[a-z0-9-]+$/.test(name) || exists(name)) return name;
  const shipped = FOLDERS.map((folder) => fileURLToPath(new URL(`${folder}${name}.yaml`, import.meta.url)));
  return shipped.find((path) => exists(path)) ?? name;
}
