/** Holds this node's certificate in force: asks for a new one in time, checks what comes, stores it for the next connect. */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { Logger } from '../protocol/log.ts';
import { CertificateRenewal, CoreClock } from './certificate-renewal.ts';
import { clockSkewError, MAX_CLOCK_SKEW_MS } from './core-error.ts';
import type { IdentityStore } from './identity.ts';
import { checkCertificate } from './join.ts';

export interface CertificateKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identityStore: IdentityStore;
  readonly sendRenewRequest: (signingRequestDer: Uint8Array) => void;
}

export class CertificateKeeper {
  readonly #deps: CertificateKeeperDeps;
  readonly #renewal = new CertificateRenewal();
  readonly #coreClock = new CoreClock();
  #certificate: X509Certificate | undefined;
  #clockIsOff = false;

  constructor(deps: CertificateKeeperDeps) {
    this.#deps = deps;
  }

  /** Throws ThalwegError `not_joined` where there is no certificate. */
  async load(): Promise<void> {
    const { certificatePem } = await this.#deps.identityStore.loadCredentials();
    this.#certificate = new X509Certificate(certificatePem);
  }

  /** The core's wall clock now, by its last word; undefined: never heard. */
  coreNowUnixMs(): number | undefined {
    return this.#coreClock.nowUnixMs(this.#deps.clock.monoMs());
  }

  /** Takes the core's time; asks for renewal where it is due by that time. Never throws. */
  async heardCore(unixMs: number): Promise<void> {
    const { clock, log, identityStore, sendRenewRequest } = this.#deps;
    const monoMs = clock.monoMs();
    this.#coreClock.heard(unixMs, monoMs);
    this.#watchClock(unixMs - clock.nowMs());
    const certificate = this.#certificate;
    const coreNowUnixMs = this.coreNowUnixMs();
    if (certificate === undefined || coreNowUnixMs === undefined) return;
    const life = {
      notBeforeUnixMs: Date.parse(certificate.validFrom),
      notAfterUnixMs: Date.parse(certificate.validTo),
    };
    if (!this.#renewal.due(life, coreNowUnixMs, monoMs)) return;
    try {
      const signingRequestDer = await identityStore.loadSigningRequest();
      if (signingRequestDer === undefined) throw new ThalwegError('storage_failed', 'signing-request.der is missing');
      sendRenewRequest(signingRequestDer);
    } catch (cause) {
      log.error('the certificate cannot be renewed', { reason: String(cause), validTo: certificate.validTo });
    }
  }

  /** Nothing of ours goes by this device's clock while it runs, but TLS will refuse the core once it is off by an hour. */
  #watchClock(skewMs: number): void {
    const isOff = Math.abs(skewMs) > MAX_CLOCK_SKEW_MS;
    if (isOff && !this.#clockIsOff) {
      const { message, nextStep } = clockSkewError(skewMs);
      this.#deps.log.warn("this device's clock is wrong", { reason: message, nextStep, skewMs: Math.round(skewMs) });
    }
    this.#clockIsOff = isOff;
  }

  /** A certificate came. One that is not ours is refused, and the old one stays. Never throws. */
  async accept(certificateDer: Uint8Array): Promise<void> {
    const { identityStore, log } = this.#deps;
    try {
      const { caPem, keyPem } = await identityStore.loadCredentials();
      const certificate = checkCertificate(certificateDer, caPem, keyPem);
      await identityStore.saveCertificate(certificateDer);
      this.#certificate = certificate;
      log.info('certificate renewed', { validTo: certificate.validTo });
    } catch (cause) {
      log.error('the renewed certificate cannot be used', { reason: String(cause) });
    }
  }
}
