/** Rates of links as people write them: `100mbit`, `1gbit`, `1.5gbit`, `256kbit`. Steps of 1000, as networks count. */
import type { Parsed } from './error.ts';

/** Below it no tunnel is of use; above it is a slip of the units (10 Tbit/s). */
export const LEAST_BIT_RATE = 8_000;
export const MOST_BIT_RATE = 1e13;

const UNITS: Readonly<Record<string, number>> = { kbit: 1e3, mbit: 1e6, gbit: 1e9, tbit: 1e12 };

/** Bits per second. */
export function parseBitRate(text: string): Parsed<number> {
  const match = /^(\d{1,7}(?:\.\d{1,6})?)(kbit|mbit|gbit|tbit)$/i.exec(text);
  if (match === null) {
    const sign = text.startsWith('-') ? ' (negative)' : '';
    return { ok: false, reason: `${text}${sign} is not a rate such as 100mbit or 1gbit (kbit, mbit, gbit, tbit)` };
  }
  const bps = Math.round(Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 0));
  const fault = bitRateFault(bps);
  return fault === undefined ? { ok: true, value: bps } : { ok: false, reason: `${text}: ${fault}` };
}

/** Why a number of bits per second is no capacity, or undefined when it is one. */
export function bitRateFault(bps: number): string | undefined {
  if (bps >= LEAST_BIT_RATE && bps <= MOST_BIT_RATE) return undefined;
  return `${bps} bit/s is not from ${LEAST_BIT_RATE / 1e3} kbit/s to ${MOST_BIT_RATE / 1e12} Tbit/s`;
}
