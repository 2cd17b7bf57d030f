/**
 * A program's config schema as a list of fields: what flags, --help, config files and the reference page are made
 * from. Nested objects are flattened with dots: `steering.holdMs` is the flag --steering-hold-ms.
 */
import { z } from 'zod';

export interface ConfigField {
  /** Keys from the top: `['stateDir']`, `['steering', 'holdMs']`. */
  readonly keys: readonly string[];
  /** As it stands in a config file: `steering.holdMs`. */
  readonly name: string;
  /** Long flag without dashes: `steering-hold-ms`. */
  readonly flag: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'list';
  readonly description: string;
  /** Undefined: none. */
  readonly default: unknown;
  /** Range or choices in words, e.g. `50 to 60000`; empty when any value of the type will do. */
  readonly range: string;
  readonly choices: readonly string[];
}

/** The part of a JSON schema that is read here. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly anyOf?: readonly JsonSchema[];
}

/** Fields in the order of the schema. */
export function configFields(schema: z.ZodType): ConfigField[] {
  return fieldsOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, []);
}

function fieldsOf(schema: JsonSchema, above: readonly string[]): ConfigField[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const keys = [...above, key];
    return property.properties === undefined ? [fieldOf(property, keys)] : fieldsOf(property, keys);
  });
}

function fieldOf(schema: JsonSchema, keys: readonly string[]): ConfigField {
  const choices = (schema.enum ?? []).filter((value): value is string => typeof value === 'string');
  return {
    keys,
    name: keys.join('.'),
    flag: keys.map(kebab).join('-'),
    type: typeOf(schema),
    description: schema.description ?? '',
    default: schema.default,
    range: choices.length > 0 ? choices.join(', ') : rangeOf(schema),
    choices,
  };
}

function typeOf(schema: JsonSchema): ConfigField['type'] {
  const types = new Set([schema, ...(schema.anyOf ?? [])].flatMap((s) => s.type ?? []));
  if (types.has('array')) return 'list';
  if (types.has('string')) return 'string';
  if (types.has('integer')) return 'integer';
  if (types.has('number')) return 'number';
  if (types.has('boolean')) return 'boolean';
  return 'string';
}

function rangeOf(schema: JsonSchema): string {
  // zod writes the limits of safe integers where a schema names none
  const low = limit(schema.minimum, 'at least');
  const high = limit(schema.maximum, 'at most');
  const above = limit(schema.exclusiveMinimum, 'more than');
  const below = limit(schema.exclusiveMaximum, 'less than');
  if (low !== '' && high !== '') return `${schema.minimum} to ${schema.maximum}`;
  return [low, above, high, below].filter((part) => part !== '').join(', ');
}

function limit(value: number | undefined, words: string): string {
  return value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? '' : `${words} ${value}`;
}

/** `probeIntervalMs` to `probe-interval-ms`, `node4Range` to `node4-range`. */
export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
