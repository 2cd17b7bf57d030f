/**
 * NTP time stamps that run on the monotonic clock: the wall clock is read once, when this is made, so that a step of
 * the wall clock (NTP, an operator) never shows in an RTT or in T3 - T2. Two nodes' stamps are never compared.
 */
import type { Clock } from '../../protocol/clock.ts';
import type { NtpTime } from './stamp-packet.ts';

/** Seconds from 1900 (NTP era 0) to 1970. */
const NTP_UNIX_OFFSET_S = 2_208_988_800;

export class StampClock {
  readonly #baseSeconds: number;
  readonly #baseMs: number;
  readonly #monoMs: () => number;

  constructor(clock: Pick<Clock, 'nowMs' | 'monoMs'>) {
    this.#monoMs = () => clock.monoMs();
    // Whole seconds and the rest apart: one double of milliseconds since 1900 would only resolve 0.5 us.
    const offsetMs = clock.nowMs() - clock.monoMs();
    const wholeSeconds = Math.floor(offsetMs / 1000);
    this.#baseSeconds = wholeSeconds + NTP_UNIX_OFFSET_S;
    this.#baseMs = offsetMs - wholeSeconds * 1000;
  }

  /** Monotonic milliseconds, with sub-microsecond resolution where the clock has it. */
  monoMs(): number {
    return this.#monoMs();
  }

  /** Writes the NTP time of a monotonic instant into `into`. Seconds wrap as the NTP era does. */
  ntpAt(monoMs: number, into: NtpTime): void {
    const ms = this.#baseMs + monoMs;
    const seconds = Math.floor(ms / 1000);
    into.seconds = (this.#baseSeconds + seconds) >>> 0;
    into.fraction = Math.min(Math.floor((ms / 1000 - seconds) * 2 ** 32), 0xffff_ffff);
  }
}
