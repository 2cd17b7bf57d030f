/** The machine's monotonic clock in microseconds, the same in every thread of a process. For the wire's program files. */
const origin = process.hrtime();
const offsetUs = origin[0] * 1e6 + origin[1] / 1e3 - performance.now() * 1e3;

export function monoUs(): number {
  return performance.now() * 1e3 + offsetUs;
}
