/** A program's config from a file and flags, checked by its schema. */
import type { z } from 'zod';
import { ThalwegError } from '../protocol/error.ts';
import { configFields, kebab } from './config-fields.ts';

/**
 * The config from `file` (undefined: none) with `flags` laid over it. Throws invalid_config for what the file holds
 * and invalid_argument for what a flag holds, each naming the field and the value.
 */
export async function loadConfig<T>(
  schema: z.ZodType<T>,
  file: string | undefined,
  flags: Record<string, unknown>,
): Promise<T> {
  const fields = configFields(schema);
  // The YAML parser is loaded only for who has a file: an agent without one has 2.5 MB more to itself.
  const fromFile = file === undefined ? {} : (await import('./config-file.ts')).readConfigFile(file, fields);
  const parsed = schema.safeParse(merge(fromFile, flags));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).map(String);
  const name = path.join('.');
  const value = valueAt(flags, path) ?? valueAt(fromFile, path);
  const field = fields.find((candidate) => candidate.name === name);
  const byFlag = valueAt(flags, path) !== undefined;
  const subject = byFlag || file === undefined ? `--${path.map(kebab).join('-')}` : `${file}: ${name}`;
  const shown = value === undefined ? '' : ` ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  throw new ThalwegError(byFlag ? 'invalid_argument' : 'invalid_config', `${subject}${shown}: ${faultOf(issue)}`, {
    fields: { field: name, value: value === undefined ? null : String(value) },
    nextStep: field === undefined || field.range === '' ? 'see --help for what is allowed' : `allowed: ${field.range}`,
  });
}

/** zod's words for a wrong type, size or choice are about programs; a person wrote the value. */
function faultOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'invalid_type') return `not a ${issue.expected}`;
  if (issue?.code === 'invalid_value') return `not one of ${issue.values.map(String).join(', ')}`;
  if (issue?.code === 'too_small') return issue.origin === 'string' ? 'empty' : `less than ${issue.minimum}`;
  if (issue?.code === 'too_big') return `${issue.origin === 'string' ? 'longer' : 'more'} than ${issue.maximum}`;
  // The last way is the one that takes most values; the ways before it are single words.
  if (issue?.code === 'invalid_union') return faultOf(issue.errors.at(-1)?.[0]);
  return issue?.message ?? 'not valid';
}

function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isRecord(below) && isRecord(value) ? merge(below, value) : value;
  }
  return merged;
}

function valueAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (isRecord(at) ? at[key] : Array.isArray(at) ? at[Number(key)] : undefined),
    config,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
