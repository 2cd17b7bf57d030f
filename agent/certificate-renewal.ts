/** When to renew the certificate, reckoned on the core's clock carried forward monotonically, not on the device's own. */

export interface CertificateLife {
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** Renew once less than this part of the life is left: two more thirds were there to reach the core in. */
const RENEW_AT_REMAINING = 1 / 3;
/** A core that does not answer is not asked again for this long within one session. */
const ASK_AGAIN_MS = 60_000;

/** The core's wall clock, as last heard and carried forward on the monotonic clock. Mutable. */
export class CoreClock {
  #offsetMs: number | undefined;

  heard(coreUnixMs: number, monoMs: number): void {
    if (coreUnixMs > 0) this.#offsetMs = coreUnixMs - monoMs;
  }

  /** Undefined until the core was heard. */
  nowUnixMs(monoMs: number): number | undefined {
    return this.#offsetMs === undefined ? undefined : this.#offsetMs + monoMs;
  }
}

/** Mutable; one per agent. */
export class CertificateRenewal {
  #askedAtMonoMs = Number.NEGATIVE_INFINITY;

  /** True when a RenewRequest is to be sent now, for its age or `anyway`; remembers that it was. */
  due(life: CertificateLife, coreNowUnixMs: number, monoMs: number, anyway = false): boolean {
    const remaining = life.notAfterUnixMs - coreNowUnixMs;
    const total = life.notAfterUnixMs - life.notBeforeUnixMs;
    if (!anyway && remaining >= total * RENEW_AT_REMAINING) return false;
    if (monoMs - this.#askedAtMonoMs < ASK_AGAIN_MS) return false;
    this.#askedAtMonoMs = monoMs;
    return true;
  }
}
