/** Quantities as people write them in scenario files: a number and its unit, `5ms`, `100mbit`, `0.5%`. */
import type { Parsed } from '../../protocol/error.ts';

const DURATION_UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};

const RATE_UNITS_BPS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

const BYTE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `5ms`, `1.5s`, `10m` to whole microseconds. A bare 0 needs no unit. */
export function parseDurationUs(value: unknown): Parsed<number> {
  return parseQuantity(value, DURATION_UNITS_US, 'a duration', '5ms, 1.5s or 10m');
}

/** `100mbit` to whole bits per second; zero is refused: a link that carries nothing is cut. */
export function parseRateBps(value: unknown): Parsed<number> {
  const parsed = parseQuantity(value, RATE_UNITS_BPS, 'a rate', '64kbit, 100mbit or 1gbit');
  if (parsed.ok && parsed.value < 1_000) return { ok: false, reason: 'a rate is at least 1kbit; cut the link instead' };
  return parsed;
}

/** `20MiB` to bytes. */
export function parseBytes(value: unknown): Parsed<number> {
  return parseQuantity(value, BYTE_UNITS, 'a size', '512KiB or 20MiB');
}

/** `0.5%` to parts per million, 0 to 100 %. */
export function parseLossPpm(value: unknown): Parsed<number> {
  const parsed = parseQuantity(value, { '%': 10_000 }, 'a share', '0.5% or 10%');
  if (parsed.ok && parsed.value > 1_000_000) return { ok: false, reason: `${shown(value)} is more than 100%` };
  return parsed;
}

function parseQuantity(
  value: unknown,
  units: Readonly<Record<string, number>>,
  what: string,
  example: string,
): Parsed<number> {
  if (value === 0 || value === '0') return { ok: true, value: 0 };
  if (typeof value === 'number') return { ok: false, reason: `${value} has no unit; write ${what} such as ${example}` };
  const match = typeof value === 'string' ? /^(\d{1,12}(?:\.\d{1,6})?)\s?([A-Za-z%]{1,5})$/.exec(value) : null;
  if (match === null) return { ok: false, reason: `${shown(value)} is not ${what} such as ${example}` };
  const factor = Object.hasOwn(units, match[2] ?? '') ? units[match[2] ?? ''] : undefined;
  if (factor === undefined) {
    return { ok: false, reason: `${shown(value)} has an unknown unit; ${what} is in ${Object.keys(units).join(', ')}` };
  }
  return { ok: true, value: Math.round(Number(match[1]) * factor) };
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return value === null
    ? 'nothing'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'a map'
        : `${value}`;
}

/** Milliseconds as a person writes them: `5 ms`, `1.5 s`. */
export function formatMs(ms: number): string {
  const magnitude = Math.abs(ms);
  if (magnitude >= 1_000) return `${Number((ms / 1_000).toFixed(magnitude >= 10_000 ? 1 : 2))} s`;
  return `${Number(ms.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2))} ms`;
}
