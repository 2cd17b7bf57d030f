/** Configuration of `thalweg agent`: one schema for types, defaults, ranges, `--help` and the reference page. */
import { z } from 'zod';
import { parseBitRate } from '../protocol/bit-rate.ts';
import { DEFAULT_NICENESS } from './scheduling.ts';

/** 2,000 transit nodes with room for 2,000 each carry a million leaves with 3 sessions each. */
export const DEFAULT_LEAF_CAPACITY = 2000;

/** 12 links in use at 50 ms, or 60 at 250 ms; about 15 % of a slow core. */
export const DEFAULT_PROBE_PACKETS_PER_SECOND = 500;

const port = (description: string, fallback: number) =>
  z.coerce.number().int().min(1).max(65_535).default(fallback).describe(description);

/** `learned`, or what the access carries. */
const rate = (direction: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const parsed = text === 'learned' ? undefined : parseBitRate(text);
      if (parsed?.ok === false) context.addIssue({ code: 'custom', message: parsed.reason });
    })
    .default('learned')
    .describe(`what this host's access can ${direction}, such as 100mbit or 1gbit; "learned": found out by use`);

/** Bits per second of a rate that the schema has taken; null: to be learned. */
export function configuredRate(text: string): number | null {
  const parsed = parseBitRate(text);
  return parsed.ok ? parsed.value : null;
}

export const agentConfigSchema = z.strictObject({
  stateDir: z
    .string()
    .min(1)
    .default('/var/lib/thalweg')
    .describe('directory of the identity, the keys and the remembered table'),
  listenPort: port('UDP port of WireGuard', 51_820),
  uplink: rate('send'),
  downlink: rate('receive'),
  transit: z.boolean().default(true).describe('forward packets of other nodes'),
  leafCapacity: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(DEFAULT_LEAF_CAPACITY)
    .describe('leaves that may have this node as their home, where the core knows leaves; 0: none'),
  metrics: z
    .string()
    .regex(/^(none|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5})$/, 'is not address:port, nor "none"')
    .default('127.0.0.1:8472')
    .describe('address:port that serves /metrics and /healthz, or "none"'),
  stampPort: port('UDP port of the STAMP reflector on the tunnel address', 862),
  detect: z
    .enum(['normal', 'fast'])
    .default('normal')
    .describe(
      'how soon a dead link is found: "normal" at the pace of the core, "fast" with 20 probes a second on links in use',
    ),
  probePacketsPerSecond: z.coerce
    .number()
    .int()
    .min(10)
    .max(100_000)
    .default(DEFAULT_PROBE_PACKETS_PER_SECOND)
    .describe('packets a second that probing may send, replies included'),
  probeCpuPercent: z.coerce
    .number()
    .min(0.1)
    .max(100)
    .default(10)
    .describe('share of one processor above which probing slows down, in percent'),
  niceness: z.coerce
    .number()
    .int()
    .min(-20)
    .max(19)
    .default(DEFAULT_NICENESS)
    .describe('priority of the agent on a busy machine, as of nice(1): less is sooner; its wireguard-go gets 10 less'),
  reconcileIntervalMs: z.coerce
    .number()
    .int()
    .min(500)
    .max(600_000)
    .default(4000)
    .describe('how often the kernel is compared with the wanted state even if nothing seems to have changed, in ms'),
  keyLifetimeDays: z.coerce
    .number()
    .min(0)
    .max(3650)
    .default(90)
    .describe('age at which the WireGuard key is changed, give or take a tenth; 0: only when asked'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('least severe level that is logged'),
});

export type AgentConfig = z.infer<typeof agentConfigSchema>;
