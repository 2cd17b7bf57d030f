/** What the lab says to its wire: JSON lines over a Unix socket, one answer line per request, in order. */
import { createConnection } from 'node:net';
import * as z from 'zod';
import { type Parsed, ThalwegError } from '../protocol/error.ts';
import { linkShapeSchema } from './link-shape.ts';

/** The wire and every socat live in the lab's own `net` namespace, so fixed ports meet nobody. */
export const WIRE_BASE_PORT = 10_000;
export const SOCAT_BASE_PORT = 30_000;
/** The wire's own port, to itself. Hosts have 1 and up. */
export const GAUGE_PORT = 0;
/** A lab of 200 hosts sets 40,000 links in one line of about 6 MB. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 5000;

const hostNumber = z.int().min(1).max(65_534);

export const wireRequestSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('setLinks'),
    links: z.array(z.strictObject({ from: hostNumber, to: hostNumber, shape: linkShapeSchema })),
  }),
  z.strictObject({ kind: z.literal('setPort'), host: hostNumber, up: z.boolean() }),
  z.strictObject({ kind: z.literal('counters') }),
]);
export type WireRequest = z.infer<typeof wireRequestSchema>;

const wireCountersSchema = z.strictObject({
  received: z.number(),
  sent: z.number(),
  held: z.number(),
  overheadUs: z.number(),
  dropped: z.record(z.string(), z.number()),
});
/** Frames since the wire started; `held`: under way now. `overheadUs`: what is taken off every delay now. `dropped` by reason. */
export type WireCounters = z.infer<typeof wireCountersSchema>;

const wireAnswerSchema = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), counters: wireCountersSchema.optional() }),
  z.strictObject({ ok: z.literal(false), reason: z.string() }),
]);
export type WireAnswer = z.infer<typeof wireAnswerSchema>;

export function parseWireRequest(line: string): Parsed<WireRequest> {
  return parseLine(line, wireRequestSchema);
}

/** One connection per request: they are rare. Throws unreachable, timeout, internal. */
export function askWire(socketPath: string, request: WireRequest): Promise<WireAnswer & { ok: true }> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    let text = '';
    const fail = (code: 'unreachable' | 'timeout' | 'internal', message: string) => {
      socket.destroy();
      reject(new ThalwegError(code, message, { nextStep: 'remove the lab with `thalweg lab down` and build it anew' }));
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => fail('timeout', 'the wire does not answer'));
    socket.on('error', (cause) => fail('unreachable', `the wire does not answer at ${socketPath}: ${cause.message}`));
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      const answer = parseLine(text.slice(0, text.indexOf('\n')), wireAnswerSchema);
      if (!answer.ok) return fail('internal', `the wire's answer is malformed: ${answer.reason}`);
      if (!answer.value.ok) return fail('internal', `the wire refused ${request.kind}: ${answer.value.reason}`);
      socket.destroy();
      resolve(answer.value);
    });
    socket.on('close', () => fail('unreachable', 'the wire closed the connection without an answer'));
    socket.write(`${JSON.stringify(request)}\n`);
  });
}

function parseLine<T>(line: string, schema: z.ZodType<T>): Parsed<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { ok: false, reason: 'not JSON' };
  }
  const checked = schema.safeParse(value);
  return checked.success
    ? { ok: true, value: checked.data }
    : { ok: false, reason: z.prettifyError(checked.error).slice(0, 500) };
}
