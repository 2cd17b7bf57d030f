/**
 * What a core keeps of the session plan across a restart: the sessions in force, which agents hold and routes may need,
 * and what was measured, so that the next plan is as good as the last one. JSON, compact: a session is
 * [low, high, 0 planned | 1 to end], a measurement [low, high, RTT, age in seconds].
 */
import { z } from 'zod';
import type { KnownLinks } from './known-links.ts';
import type { Session } from './session-ledger.ts';

const index = z.int().min(1);
const sessionsSchema = z.strictObject({
  version: z.literal(1),
  sessions: z.array(z.tuple([index, index, z.union([z.literal(0), z.literal(1)])])),
});
const knownSchema = z.strictObject({
  version: z.literal(1),
  savedAtUnixMs: z.number(),
  links: z.array(z.tuple([index, index, z.number().positive(), z.number().min(0)])),
});

/** Explored sessions are not kept: they carry nothing. */
export function saveSessions(sessions: Iterable<Session>): string {
  const rows = [...sessions]
    .filter(({ role }) => role !== 'exploring')
    .map(({ low, high, role }) => [low, high, role === 'planned' ? 0 : 1]);
  return JSON.stringify({ version: 1, sessions: rows });
}

/** Undefined: not readable. Sessions of nodes that are gone are left out. */
export function loadSessions(text: string, isNode: (index: number) => boolean, nowMs: number): Session[] | undefined {
  const parsed = sessionsSchema.safeParse(fromJson(text));
  if (!parsed.success) return undefined;
  return parsed.data.sessions
    .filter(([low, high]) => low < high && isNode(low) && isNode(high))
    .map(([low, high, ending]) => ({
      low,
      high,
      role: ending === 0 ? 'planned' : 'leaving',
      openedMs: nowMs,
      measuredMs: nowMs,
    }));
}

export function saveKnown(known: KnownLinks, nowMs: number, nowUnixMs: number): string {
  const links = known.all().map(({ low, high, rttUs, atMs }) => [low, high, rttUs, Math.round((nowMs - atMs) / 1000)]);
  return JSON.stringify({ version: 1, savedAtUnixMs: nowUnixMs, links });
}

/** False: not readable; then nothing was taken. */
export function loadKnown(
  text: string,
  known: KnownLinks,
  isNode: (index: number) => boolean,
  nowMs: number,
  nowUnixMs: number,
): boolean {
  const parsed = knownSchema.safeParse(fromJson(text));
  if (!parsed.success) return false;
  const agedMs = Math.max(0, nowUnixMs - parsed.data.savedAtUnixMs);
  for (const [low, high, rttUs, ageS] of parsed.data.links) {
    if (isNode(low) && isNode(high)) known.observe(low, high, rttUs, nowMs - agedMs - ageS * 1000);
  }
  return true;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
