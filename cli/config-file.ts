/** Config files: YAML or JSON, with unknown settings refused by line. */
import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { ThalwegError } from '../protocol/error.ts';
import { closestWord } from './closest-word.ts';
import type { ConfigField } from './config-fields.ts';

/** What is wrong with a file that cannot be read, and what to do, by errno. */
const UNREADABLE: Readonly<Record<string, readonly [string, string]>> = {
  ENOENT: ['there is no such file', 'pass the path of a YAML or JSON file'],
  EISDIR: ['it is a folder', 'pass the path of a YAML or JSON file'],
  EACCES: ['this user may not read it', 'let this user read the file, or run the command as its owner'],
};

/** YAML or JSON (which YAML contains). Throws invalid_config with file and line. */
export function readConfigFile(file: string, fields: readonly ConfigField[]): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const [why, nextStep] = UNREADABLE[code ?? ''] ?? [message, 'pass the path of a YAML or JSON file'];
    throw new ThalwegError('invalid_config', `--config ${file}: ${why}`, { cause, nextStep });
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
