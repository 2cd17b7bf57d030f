/**
 * Holds this node's certificate in force: asks for a new one in time, checks what comes, stores it for the next connect.
 * Also holds the CAs that are trusted, which the core changes when its CA is rotated: first another one is trusted beside,
 * then, at a moment of this device's own choice, the certificate becomes one of that one.
 */
import { X509Certificate } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Clock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import type { Trust, TrustReportSchema } from '../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../protocol/log.ts';
import { SerialWork } from '../protocol/serial-work.ts';
import { CertificateRenewal, CoreClock } from './certificate-renewal.ts';
import { clockSkewError, MAX_CLOCK_SKEW_MS } from './core-error.ts';
import type { IdentityStore } from './identity.ts';
import { checkCertificate } from './join.ts';
import { issuerOf, nextBundle, readBundle, type TrustedCa } from './trust-bundle.ts';

export type TrustReportInit = MessageInitShape<typeof TrustReportSchema>;

export interface CertificateKeeperDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identityStore: IdentityStore;
  readonly random: () => number;
  readonly sendRenewRequest: (signingRequestDer: Uint8Array) => void;
  readonly sendTrustReport: (report: TrustReportInit) => void;
}

/** After a start with a certificate of a CA that another one follows: how many others do the same is not known. */
const MOVE_AFTER_START_MS = 60_000;

export class CertificateKeeper {
  readonly #deps: CertificateKeeperDeps;
  readonly #renewal = new CertificateRenewal();
  readonly #coreClock = new CoreClock();
  #certificate: X509Certificate | undefined;
  #trusted: readonly TrustedCa[] = [];
  /** When the certificate is to become one of the newest CA. */
  #moveAtMonoMs: number | undefined;
  #clockIsOff = false;
  /** Files are changed one after the other. */
  readonly #work = new SerialWork();

  constructor(deps: CertificateKeeperDeps) {
    this.#deps = deps;
  }

  /** Throws ThalwegError `not_joined` where there is no certificate. */
  async load(): Promise<void> {
    const { certificatePem, caPem } = await this.#deps.identityStore.loadCredentials();
    this.#certificate = new X509Certificate(certificatePem);
    this.#trusted = readBundle(caPem);
    this.#plan(MOVE_AFTER_START_MS);
  }

  /** What the disk holds, for Hello. */
  get report(): TrustReportInit | undefined {
    const issuer = this.#certificate && issuerOf(this.#certificate, this.#trusted);
    if (issuer === undefined) return undefined;
    return {
      caFingerprints: this.#trusted.map(({ fingerprint }) => fingerprint),
      issuerFingerprint: issuer.fingerprint,
    };
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
    const isToMove = this.#moveAtMonoMs !== undefined && monoMs >= this.#moveAtMonoMs;
    if (!this.#renewal.due(life, coreNowUnixMs, monoMs, isToMove)) return;
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

  /** The core says which CAs to trust from now on. What cannot be is refused, and what was stays. Never throws. */
  trust({ caDer, renewWithinMs }: Pick<Trust, 'caDer' | 'renewWithinMs'>): Promise<void> {
    return this.#next(async () => {
      const { identityStore, log } = this.#deps;
      const bundle = nextBundle(caDer, this.#trusted);
      if (!bundle.ok) {
        log.error('the core named CAs that cannot be trusted', { reason: bundle.reason });
        return;
      }
      await identityStore.saveCaBundle(bundle.value);
      this.#trusted = readBundle(bundle.value);
      log.info('trusted CAs changed', { trusted: this.#trusted.length });
      this.#plan(renewWithinMs);
      this.#tell();
    });
  }

  /** A certificate came. One that is not ours is refused, and the old one stays. Never throws. */
  accept(certificateDer: Uint8Array): Promise<void> {
    return this.#next(async () => {
      const { identityStore, log } = this.#deps;
      const { caPem, keyPem } = await identityStore.loadCredentials();
      const certificate = checkCertificate(certificateDer, caPem, keyPem);
      await identityStore.saveCertificate(certificateDer);
      const hasMoved = this.#moveAtMonoMs !== undefined;
      this.#certificate = certificate;
      log.info('certificate renewed', { validTo: certificate.validTo });
      this.#plan(MOVE_AFTER_START_MS);
      if (hasMoved) this.#tell();
    });
  }

  /** Where the certificate is of a CA that another one follows, it is to be renewed at some moment of the next `withinMs`. */
  #plan(withinMs: number): void {
    const { clock, random } = this.#deps;
    const newest = this.#trusted.at(-1);
    const isNewest = newest !== undefined && this.#certificate?.verify(newest.certificate.publicKey) === true;
    this.#moveAtMonoMs = isNewest ? undefined : clock.monoMs() + random() * withinMs;
  }

  #tell(): void {
    const { report } = this;
    if (report !== undefined) this.#deps.sendTrustReport(report);
  }

  #next(work: () => Promise<void>): Promise<void> {
    return this.#work.run(work).catch((cause: unknown) => {
      this.#deps.log.error('what the core sent about certificates cannot be used', { reason: String(cause) });
    });
  }
}
