/**
 * What a lab remembers on disk (`/run/thalweg-lab/<lab>/state.json`), so that another process can attach to it or
 * remove it: hosts, links and processes.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { type Parsed, ThalwegError } from '../protocol/error.ts';
import { DRIVERS } from './lab-spec.ts';
import { linkShapeSchema } from './link-shape.ts';

export const RUNTIME_ROOT = '/run/thalweg-lab';
export const STATE_FILE = 'state.json';

const processSchema = z.strictObject({
  role: z.enum(['reaper', 'wire', 'socat', 'core', 'agent']),
  host: z.string(),
  pid: z.int().min(2),
  startTicks: z.int().min(0),
});
const overridesSchema = z.record(z.string(), z.json());

export const labStateSchema = z.strictObject({
  version: z.literal(1),
  name: z.string(),
  status: z.enum(['building', 'up']),
  startedAtMs: z.number(),
  driver: z.enum(DRIVERS),
  seed: z.int(),
  distDir: z.string(),
  /** In the order of their numbers, from 1; the core is one of them. */
  hosts: z.array(z.strictObject({ name: z.string(), transit: z.boolean(), powered: z.boolean() })).max(65_534),
  /** Keyed `from>to` by host name. */
  links: z.record(z.string(), linkShapeSchema),
  processes: z.array(processSchema),
  core: overridesSchema,
  agent: overridesSchema,
});
export type LabState = z.infer<typeof labStateSchema>;
export type LabProcess = z.infer<typeof processSchema>;

export function labDir(name: string): string {
  return join(RUNTIME_ROOT, name);
}

export function linkKey(from: string, to: string): string {
  return `${from}>${to}`;
}

/** Never throws on content: the file may be cut short, from another version, or somebody else's. */
export function parseLabState(text: string): Parsed<LabState> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
  const checked = labStateSchema.safeParse(value);
  return checked.success
    ? { ok: true, value: checked.data }
    : { ok: false, reason: z.prettifyError(checked.error).slice(0, 500) };
}

/** Throws missing_privilege where the lab is another user's: it is no remains of a crash. */
export function readLabState(name: string): Parsed<LabState> {
  let text: string;
  try {
    text = readFileSync(join(labDir(name), STATE_FILE), 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new ThalwegError('missing_privilege', `lab ${name} belongs to root`, {
        nextStep: 'run it with sudo',
        cause,
      });
    }
    return { ok: false, reason: 'no state file' };
  }
  return parseLabState(text);
}

/** Whole or not at all. Throws when the state is not one that `parseLabState` takes. */
export function writeLabState(state: LabState): void {
  const path = join(labDir(state.name), STATE_FILE);
  writeFileSync(`${path}.new`, JSON.stringify(labStateSchema.parse(state)), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Claims the name: false when a lab of that name, or its remains, are there. */
export function claimLabDir(name: string): boolean {
  mkdirSync(RUNTIME_ROOT, { recursive: true, mode: 0o700 });
  try {
    mkdirSync(labDir(name), { mode: 0o700 });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  }
}
