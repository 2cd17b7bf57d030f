/**
 * Certificate and key of the HTTP API, from files that others renew (an ACME client, an administrator): looked at every
 * minute, taken over without closing a connection. Files that do not fit together leave the present ones in use.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock, Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';

/** ACME clients renew weeks before the end; a minute is as good as at once, and two small reads cost nothing. */
const LOOK_EVERY_MS = 60_000;

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

interface Pair {
  readonly options: SecureContextOptions;
  readonly expiresAtMs: number;
  /** Of both files, to see a change. */
  readonly digest: string;
}

export class ApiCertificate {
  readonly #files: CertificateFiles;
  readonly #clock: Clock;
  readonly #log: Logger;
  #pair: Pair;
  #refused = '';
  #timer: Timer | undefined;

  /** Reads the files. Throws invalid_config, which names the file. */
  constructor(deps: { clock: Clock; log: Logger }, files: CertificateFiles) {
    this.#files = files;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#pair = readPair(files);
  }

  get options(): SecureContextOptions {
    return this.#pair.options;
  }

  /** Milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#pair.expiresAtMs;
  }

  /** From now on `onChange` hears of new files. */
  watch(onChange: (options: SecureContextOptions) => void): void {
    this.#timer = this.#clock.after(LOOK_EVERY_MS, () => {
      this.#look(onChange);
      this.watch(onChange);
    });
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(onChange: (options: SecureContextOptions) => void): void {
    try {
      const pair = readPair(this.#files);
      this.#refused = '';
      if (pair.digest === this.#pair.digest) return;
      this.#pair = pair;
      onChange(pair.options);
      this.#log.info('api certificate changed', { expiresAtMs: pair.expiresAtMs });
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      // Once for each fault: between writing the one file and the other they need not fit.
      if (message !== this.#refused) this.#log.warn('api certificate cannot be taken', { error: message });
      this.#refused = message;
    }
  }
}

function readPair({ cert, key }: CertificateFiles): Pair {
  const certificate = readPem('apiTlsCert', cert);
  const privateKey = readPem('apiTlsKey', key);
  const parsed = inField('apiTlsCert', cert, 'is no PEM certificate', () => new X509Certificate(certificate));
  const options: SecureContextOptions = { cert: certificate, key: privateKey, minVersion: 'TLSv1.3' };
  // Throws when the key is not the certificate's.
  inField('apiTlsKey', key, 'does not fit apiTlsCert', () => createSecureContext(options));
  const digest = createHash('sha256').update(certificate).update(privateKey).digest('hex');
  return { options, expiresAtMs: Date.parse(parsed.validTo), digest };
}

function readPem(field: string, file: string): string {
  return inField(field, file, 'cannot be read', () => readFileSync(file, 'utf8'));
}

function inField<T>(field: string, file: string, fault: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ThalwegError('invalid_config', `${field} ${file} ${fault}${code === undefined ? '' : ` (${code})`}`, {
      cause,
      fields: { field, file },
      nextStep: 'name PEM files of a certificate (with its chain) and of its private key, which the core may read',
    });
  }
}
