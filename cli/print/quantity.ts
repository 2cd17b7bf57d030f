/** Numbers for people. Missing is a dash, never 0. */

export const MISSING = '-';

/** Microseconds as milliseconds with three digits that matter: `0.412 ms`, `5.21 ms`, `13.4 ms`, `104 ms`. */
export function latency(us: number | null): string {
  if (us === null) return MISSING;
  return `${signed(us, (positive) => milliseconds(positive))} ms`;
}

/** A cost: microseconds that are partly real time and partly a price, shown in the same unit. */
export function cost(us: number | null): string {
  return latency(us);
}

function milliseconds(us: number): string {
  const ms = us / 1000;
  if (ms === 0) return '0';
  if (ms < 0.9995) return ms.toFixed(3);
  if (ms < 9.995) return ms.toFixed(2);
  if (ms < 99.95) return ms.toFixed(1);
  return ms.toFixed(0);
}

function signed(value: number, format: (positive: number) => string): string {
  return value < 0 ? `-${format(-value)}` : format(value);
}

/** Parts per million as per cent: `0 %`, `0.02 %`, `1.5 %`. */
export function loss(ppm: number | null): string {
  if (ppm === null) return MISSING;
  const percent = ppm / 10_000;
  if (percent === 0) return '0 %';
  if (percent < 0.01) return '<0.01 %';
  return `${Number(percent.toFixed(percent < 1 ? 2 : 1))} %`;
}

/** Bytes per second as bits per second in steps of 1000, as networks count: `12.3 Mbit/s`. */
export function rate(bytesPerSecond: number | null): string {
  return bitRate(bytesPerSecond === null ? null : bytesPerSecond * 8);
}

/** Bits per second, likewise. */
export function bitRate(bps: number | null): string {
  if (bps === null) return MISSING;
  let value = bps;
  for (const unit of ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']) {
    if (value < 999.5 || unit === 'Gbit/s')
      return `${Number(value.toFixed(value < 10 && unit !== 'bit/s' ? 1 : 0))} ${unit}`;
    value /= 1000;
  }
  return MISSING;
}

/** A ratio as per cent: `3 %`, `98 %`, `103 %`. */
export function percent(ratio: number | null): string {
  return ratio === null ? MISSING : `${Number((ratio * 100).toFixed(ratio < 0.0995 ? 1 : 0))} %`;
}

/** A duration in its largest unit: `0 s`, `45 s`, `3 min`, `5 h`, `12 d`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How long ago `atMs` was. Clocks of two machines may differ a little: never negative. */
export function age(atMs: number | null, nowMs: number): string {
  return atMs === null ? MISSING : duration(nowMs - atMs);
}

/** `in 3 h`, or `3 h ago`. */
export function relative(atMs: number, nowMs: number): string {
  return atMs >= nowMs ? `in ${duration(atMs - nowMs)}` : `${duration(nowMs - atMs)} ago`;
}

/** UTC to the second: `2026-01-31 09:12:44 UTC`. */
export function moment(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** `1 node`, `3 nodes`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
