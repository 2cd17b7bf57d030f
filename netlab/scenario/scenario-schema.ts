/**
 * What a scenario file may contain, as one strict zod schema: types, units and sizes. What needs more than one value at
 * once (does the host exist, is the event before the end) is checked in scenario-check.ts. docs/scenarios.md explains
 * every key; a test holds the two together.
 */
import { z } from 'zod';
import type { Parsed } from '../../protocol/error.ts';
import { parseNodeName } from '../../protocol/identifier.ts';
import { parseBytes, parseDurationUs, parseLossPpm, parseRateBps } from './quantity.ts';
import { HOST_ACTIONS, RTT_STATISTICS } from './scenario.ts';

/** Bounds that keep a mistake in a file from becoming a load on the machine. */
export const SCENARIO_LIMITS = {
  /** A namespace, an agent and a WireGuard process each: what one machine with some GB of memory carries. */
  hosts: 64,
  events: 1_000,
  flows: 64,
  pings: 64,
  expectations: 1_000,
  durationMs: 2 * 3_600_000,
  /** Ten times the rate that the traffic programs were measured to keep. */
  packetsPerSecond: 10_000,
  totalPacketsPerSecond: 40_000,
  fileBytes: 1024 * 1024,
} as const;

/** Largest RTT that a shape may have: longer than any path on Earth, shorter than a WireGuard handshake's patience. */
const MAX_DELAY_US = 4_000_000;

function quantity<T>(parse: (value: unknown) => Parsed<T>) {
  return z.unknown().transform((value, context): T => {
    const parsed = parse(value);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: parsed.reason });
    return z.NEVER;
  });
}

const durationMs = quantity((value): Parsed<number> => {
  const parsed = parseDurationUs(value);
  return parsed.ok ? { ok: true, value: parsed.value / 1_000 } : parsed;
});

const delayUs = quantity((value): Parsed<number> => {
  const parsed = parseDurationUs(value);
  return parsed.ok && parsed.value > MAX_DELAY_US ? { ok: false, reason: 'a delay is at most 4s' } : parsed;
});

const hostName = z.string().superRefine((value, context) => {
  const parsed = parseNodeName(value);
  if (!parsed.ok) context.addIssue({ code: 'custom', message: `host ${JSON.stringify(value)}: ${parsed.reason}` });
});

/** Name of a flow, a ping, an event or the scenario. */
const label = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a name is 1 to 63 of a-z, 0-9 and -, not starting with -');

/** A moment of the scenario: a duration after t = 0, `end`, or `3s after event 2` / `3s after event bad-link`. */
export type Moment =
  | { readonly kind: 'at'; readonly ms: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'after'; readonly ms: number; readonly event: string };

function parseMoment(value: unknown): Parsed<Moment> {
  if (value === 'end') return { ok: true, value: { kind: 'end' } };
  const match = typeof value === 'string' ? /^(\S{1,20}) after event ([a-z0-9-]{1,63})$/.exec(value) : null;
  const parsed = parseDurationUs(match === null ? value : match[1]);
  if (!parsed.ok) return { ok: false, reason: `${parsed.reason}; a moment is also "end" or "3s after event 2"` };
  const ms = parsed.value / 1_000;
  return { ok: true, value: match === null ? { kind: 'at', ms } : { kind: 'after', ms, event: match[2] ?? '' } };
}

const moment = quantity(parseMoment);
const window = z.strictObject({ from: moment.optional(), to: moment.optional() });

const shapeKeys = {
  rtt: delayUs.optional(),
  delay: delayUs.optional(),
  jitter: delayUs.optional(),
  loss: quantity(parseLossPpm).optional(),
  rate: quantity(parseRateBps).optional(),
};
const directionKeys = {
  between: z.tuple([hostName, hostName]).optional(),
  from: hostName.optional(),
  to: hostName.optional(),
};

const host = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.strictObject({
    name: hostName,
    transit: z.boolean().default(true),
    joins: z.enum(['now', 'later']).default('now'),
  }),
);

const underlay = z.strictObject({
  default: z.strictObject(shapeKeys).optional(),
  links: z
    .array(z.strictObject({ ...directionKeys, ...shapeKeys }))
    .max(SCENARIO_LIMITS.hosts ** 2)
    .optional(),
  'rtt-matrix': z
    .strictObject({
      source: z.string().max(1_000).optional(),
      hosts: z.array(hostName).max(SCENARIO_LIMITS.hosts),
      rows: z.array(
        z
          .array(
            z
              .number()
              .min(0)
              .max(MAX_DELAY_US / 1_000),
          )
          .max(SCENARIO_LIMITS.hosts),
      ),
    })
    .optional(),
});

const linksOrAll = z.preprocess(
  (value) => (value === 'all' ? { all: true } : value),
  z.strictObject({
    ...directionKeys,
    all: z.literal(true).optional(),
  }),
);

/** `core-kill:` and `core-kill: true` are the same. */
const flag = z.preprocess((value) => (value === null ? true : value), z.literal(true));

export const EVENT_KINDS = ['degrade', 'cut', 'heal', 'partition', ...HOST_ACTIONS, 'core-kill', 'core-start'] as const;

const event = z.strictObject({
  at: durationMs,
  every: durationMs.optional(),
  times: z.number().int().min(2).max(1_000).optional(),
  name: label.optional(),
  degrade: z.strictObject({ ...directionKeys, ...shapeKeys }).optional(),
  cut: z.strictObject(directionKeys).optional(),
  heal: linksOrAll.optional(),
  partition: z.strictObject({ groups: z.array(z.array(hostName).min(1)).min(2) }).optional(),
  kill: hostName.optional(),
  'stop-agent': hostName.optional(),
  'start-agent': hostName.optional(),
  leave: hostName.optional(),
  join: hostName.optional(),
  'power-off': hostName.optional(),
  'power-on': hostName.optional(),
  drain: hostName.optional(),
  resume: hostName.optional(),
  'core-kill': flag.optional(),
  'core-start': flag.optional(),
});

export const CHURN_KINDS = ['join', 'leave', 'kill', 'cut', 'heal', 'degrade', 'power'] as const;

const churn = z.strictObject({
  seed: z.number().int().min(0).max(0xffffffff),
  every: durationMs,
  from: durationMs.optional(),
  to: moment.optional(),
  kinds: z.array(z.enum(CHURN_KINDS)).min(1).optional(),
  'keep-hosts': z.number().int().min(1).optional(),
});

const flow = z.strictObject({
  name: label,
  from: hostName,
  to: hostName,
  rate: z.number().int().min(1).max(SCENARIO_LIMITS.packetsPerSecond),
  size: z.number().int().min(32).max(1_200).default(200),
  start: moment.optional(),
  stop: moment.optional(),
  family: z.union([z.literal(4), z.literal(6)]).default(4),
});

const ping = z.strictObject({
  name: label,
  from: hostName.optional(),
  to: hostName.optional(),
  pairs: z.literal('all').optional(),
  interval: durationMs.optional(),
  count: z.number().int().min(1).max(10_000).optional(),
  start: moment.optional(),
  stop: moment.optional(),
  family: z.union([z.literal(4), z.literal(6)]).default(4),
});

const optimumBound = z.strictObject({
  of: z.literal('optimum').default('optimum'),
  plus: delayUs.optional(),
  percent: z.number().min(0).max(1_000).optional(),
});
const count = z.number().int().min(0).max(1e9);
const flowCount = z.strictObject({ flow: label, 'at-most': count, window: window.optional() });

export const EXPECTATION_KINDS = [
  'rtt',
  'lost',
  'duplicated',
  'reordered',
  'outage',
  'path',
  'path-changes',
  'converged',
  'joined',
  'steered',
  'routes-touched',
  'optimal-paths',
  'kernel-tables',
  'leaks',
] as const;

const expectation = z.strictObject({
  rtt: z
    .strictObject({
      ping: label,
      statistic: z.enum(RTT_STATISTICS).default('p50'),
      'at-most': delayUs.optional(),
      'at-least': delayUs.optional(),
      within: optimumBound.optional(),
      'mean-within': optimumBound.optional(),
      window: window.optional(),
    })
    .optional(),
  lost: flowCount.optional(),
  duplicated: flowCount.optional(),
  reordered: flowCount.optional(),
  outage: z.strictObject({ flow: label, 'at-most': durationMs, window: window.optional() }).optional(),
  path: z
    .strictObject({
      path: z.array(hostName).min(2).max(SCENARIO_LIMITS.hosts),
      by: moment.optional(),
      at: moment.optional(),
      until: moment.optional(),
      'both-ways': z.boolean().default(false),
    })
    .optional(),
  'path-changes': z
    .strictObject({
      ...directionKeys,
      'at-most': count.optional(),
      'at-least': count.optional(),
      exactly: count.optional(),
      window: window.optional(),
    })
    .optional(),
  converged: z.strictObject({ by: moment }).optional(),
  joined: z.strictObject({ within: durationMs }).optional(),
  steered: z.strictObject({ within: durationMs }).optional(),
  'routes-touched': z
    .strictObject({
      between: z.tuple([moment, moment]),
      'at-most': count,
      hosts: z.array(hostName).min(1).optional(),
      'next-hops': z.boolean().optional(),
    })
    .optional(),
  'optimal-paths': z
    .strictObject({
      plus: delayUs.optional(),
      percent: z.number().min(0).optional(),
      hosts: z.array(hostName).optional(),
    })
    .optional(),
  'kernel-tables': flag.optional(),
  leaks: z
    .strictObject({
      memory: quantity(parseBytes).optional(),
      descriptors: count.optional(),
      processes: count.optional(),
    })
    .optional(),
});

export const scenarioSchema = z.strictObject({
  name: label,
  description: z.string().max(10_000).default(''),
  driver: z.enum(['auto', 'plain', 'netem', 'wire']).default('auto'),
  hosts: z.array(host).min(2).max(SCENARIO_LIMITS.hosts),
  underlay: underlay.optional(),
  probes: z
    .strictObject({
      interval: durationMs.optional(),
      'dead-after': durationMs.optional(),
      detect: z.enum(['normal', 'fast']).optional(),
    })
    .optional(),
  duration: durationMs,
  settle: durationMs.optional(),
  traffic: z.array(flow).max(SCENARIO_LIMITS.flows).default([]),
  pings: z.array(ping).max(SCENARIO_LIMITS.pings).default([]),
  events: z.array(event).max(SCENARIO_LIMITS.events).default([]),
  churn: churn.optional(),
  expect: z.array(expectation).max(SCENARIO_LIMITS.expectations).default([]),
});

export type RawScenario = z.output<typeof scenarioSchema>;
export type RawShape = z.output<z.ZodObject<typeof shapeKeys>>;
export type RawDirection = z.output<z.ZodObject<typeof directionKeys>>;
export type RawEvent = RawScenario['events'][number];
export type RawExpectation = RawScenario['expect'][number];

/** Keys that are known at `path` of the schema; empty where there is no map. For "did you mean". */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType | undefined = unwrap(scenarioSchema);
  for (const step of path) {
    if (schema instanceof z.ZodObject) schema = unwrap(schema.shape[String(step)]);
    else if (schema instanceof z.ZodArray) schema = unwrap(schema.element);
    else return [];
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return unwrap(schema.def.innerType);
  if (schema instanceof z.ZodPipe) return unwrap(schema.def.out);
  return schema;
}
