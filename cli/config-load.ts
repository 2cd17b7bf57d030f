/** A program's config from a file and flags, checked by its schema. */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ThalwegError } from '../protocol/error.ts';
import { closestWord } from './closest-word.ts';
import { type ConfigField, configFields, kebab } from './config-fields.ts';

/**
 * The config from `file` (undefined: none) with `flags` laid over it. Throws invalid_config for what the file holds
 * and invalid_argument for what a flag holds, each naming the field and the value.
 */
export function loadConfig<T>(schema: z.ZodType<T>, file: string | undefined, flags: Record<string, unknown>): T {
  const fields = configFields(schema);
  const fromFile = file === undefined ? {} : readConfigFile(file, fields);
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
  throw new ThalwegError(
    byFlag ? 'invalid_argument' : 'invalid_config',
    `${subject}${shown}: ${issue?.message ?? 'not valid'}`,
    {
      fields: { field: name, value: value === undefined ? null : String(value) },
      nextStep:
        field === undefined || field.range === '' ? 'see --help for what is allowed' : `allowed: ${field.range}`,
    },
  );
}

/** YAML or JSON (which YAML contains). Throws invalid_config with file and line. */
export function readConfigFile(file: string, fields: readonly ConfigField[]): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message;
    throw new ThalwegError('invalid_config', `--config ${file}: ${why}`, {
      cause,
      nextStep: 'pass the path of a YAML or JSON file',
    });
  }
  return parseConfigText(text, file, fields);
}

/** Pure part of readConfigFile. */
export function parseConfigText(text: string, file: string, fields: readonly ConfigField[]): Record<string, unknown> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault !== undefined) {
    throw new ThalwegError('invalid_config', `${file}:${lines.linePos(fault.pos[0]).line}: ${fault.message}`, {
      nextStep: 'correct the line; the file is YAML or JSON',
    });
  }
  if (document.contents === null) return {};
  if (!isMap(document.contents)) {
    throw new ThalwegError('invalid_config', `${file}: not a list of settings`, {
      nextStep: 'write one `name: value` per line',
    });
  }
  const known = new Set(
    fields.flatMap((field) => field.keys.map((_, depth) => field.keys.slice(0, depth + 1).join('.'))),
  );
  const check = (map: unknown, above: readonly string[]): void => {
    if (!isMap(map)) return;
    for (const { key, value } of map.items) {
      const keys = [...above, isScalar(key) ? String(key.value) : String(key)];
      const name = keys.join('.');
      if (!known.has(name)) {
        const line = isScalar(key) && key.range ? `:${lines.linePos(key.range[0]).line}` : '';
        const near = closestWord(name, [...known]);
        throw new ThalwegError(
          'invalid_config',
          `${file}${line}: unknown setting ${name}${near === undefined ? '' : `; did you mean ${near}?`}`,
          {
            fields: { field: name },
            nextStep: `known settings: ${[...known].filter((n) => fields.some((f) => f.name === n)).join(', ')}`,
          },
        );
      }
      if (!fields.some((field) => field.name === name)) check(value, keys);
    }
  };
  check(document.contents, []);
  return document.toJS() as Record<string, unknown>;
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
