/** Flags of a program, made from its config fields, and the values they were given. */
import { type Command, Option } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import type { ConfigField } from './config-fields.ts';

/** Adds one flag per field, and --config. */
export function addConfigFlags(command: Command, fields: readonly ConfigField[]): void {
  command.option('--config <file>', 'YAML or JSON file with the same settings; flags win over it');
  for (const field of fields) command.addOption(flagOption(field));
}

/** The flag as written in --help and in the reference page. */
export function flagText(field: ConfigField): string {
  if (field.type === 'boolean') return field.default === true ? `--no-${field.flag}` : `--${field.flag}`;
  return `--${field.flag} <${placeholder(field)}>`;
}

/** Default as people write it; empty when there is none. */
export function defaultText(field: ConfigField): string {
  const value = field.default;
  if (value === undefined || value === null) return '';
  if (field.type === 'boolean') return '';
  if (Array.isArray(value)) return value.join(',');
  return String(value);
}

function flagOption(field: ConfigField): Option {
  const notes = [defaultText(field) && `default ${defaultText(field)}`, field.range].filter((note) => note !== '');
  const negated = field.type === 'boolean' && field.default === true;
  const description = negated ? `turn off: ${field.description}` : field.description;
  const option = new Option(flagText(field), `${description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`);
  if (field.type === 'boolean') return option;
  return option.argParser((text: string, previous: unknown) => parseFlag(field, text, previous));
}

function placeholder(field: ConfigField): string {
  if (field.type === 'list') return 'value,…';
  if (field.type === 'integer' || field.type === 'number') return 'number';
  if (/dir$/i.test(field.name)) return 'folder';
  return field.choices.length > 0 ? 'choice' : 'value';
}

/** Text of one flag as the field's type. Ranges are the schema's to check. Throws invalid_argument. */
export function parseFlag(field: ConfigField, text: string, previous?: unknown): unknown {
  if (field.type === 'list') {
    const values = text.split(',').map((part) => part.trim());
    return [...(Array.isArray(previous) ? previous : []), ...values.filter((part) => part !== '')];
  }
  if (field.type === 'integer' || field.type === 'number') {
    const form = field.type === 'integer' ? /^-?\d+$/ : /^-?\d+(\.\d+)?(e-?\d+)?$/i;
    if (!form.test(text)) {
      const wanted = field.type === 'integer' ? 'a whole number' : 'a number';
      throw new ThalwegError('invalid_argument', `--${field.flag} ${text}: not ${wanted}`, {
        fields: { field: field.name, value: text },
        nextStep: field.range === '' ? `pass ${wanted}` : `pass ${wanted}, ${field.range}`,
      });
    }
    return Number(text);
  }
  return text;
}

/** What was given as flags, in the shape of the config. Flags that were not given are absent. */
export function givenFlags(command: Command, fields: readonly ConfigField[]): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  for (const field of fields) {
    const attribute = flagOption(field).attributeName();
    if (command.getOptionValueSource(attribute) === 'cli') setAt(config, field.keys, command.getOptionValue(attribute));
  }
  return config;
}

function setAt(target: Record<string, unknown>, keys: readonly string[], value: unknown): void {
  const [key = '', ...rest] = keys;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const inner = (target[key] ?? {}) as Record<string, unknown>;
  target[key] = inner;
  setAt(inner, rest, value);
}
