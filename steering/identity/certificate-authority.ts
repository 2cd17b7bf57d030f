/**
 * The core's certificate authority: one P-256 key, made at the first start, that signs the core's server certificate
 * and the nodes' short-lived client certificates. `ca.key` never leaves the state directory (mode 0600).
 */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ThalwegError } from '../../protocol/error.ts';
import { storageError } from '../store/storage-error.ts';
import { makeCertificate } from './node-certificate.ts';

const CA_NAME = 'Thalweg CA';
/** What agents ask for as TLS server name, whatever address they dialled. */
export const CORE_SERVER_NAME = 'thalweg-core';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The CA lives as long as the mesh: nodes pin it, so replacing it means joining again. */
const CA_LIFETIME_MS = 20 * 365 * DAY_MS;
/** The server certificate is made anew at each start, so it only has to outlive one run of the core. */
const SERVER_LIFETIME_MS = 5 * 365 * DAY_MS;
/** Validity begins this much in the past, for devices whose clocks are behind. */
const BACKDATE_MS = HOUR_MS;

export interface IssuedCertificate {
  readonly der: Uint8Array;
  /** Hexadecimal, upper case, as node:crypto prints it. */
  readonly serial: string;
  readonly expiresAtMs: number;
}

export class CertificateAuthority {
  readonly certificate: X509Certificate;
  /** SHA-256 over the CA certificate's DER, 64 hex digits: what join tokens pin. */
  readonly fingerprint: string;
  readonly #key: KeyObject;

  private constructor(key: KeyObject, certificate: X509Certificate) {
    this.#key = key;
    this.certificate = certificate;
    this.fingerprint = createHash('sha256').update(certificate.raw).digest('hex');
  }

  /** Reads `ca.key` and `ca.crt` from the state directory, or makes them. Throws storage_failed, disk_full, invalid_config. */
  static open(stateDir: string, nowMs: number): CertificateAuthority {
    const keyPath = join(stateDir, 'ca.key');
    const certificatePath = join(stateDir, 'ca.crt');
    if (!existsSync(keyPath) && !existsSync(certificatePath)) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const der = makeCertificate(
        {
          purpose: 'authority',
          subject: CA_NAME,
          issuer: CA_NAME,
          serial: newSerial(),
          notBeforeMs: nowMs - BACKDATE_MS,
          notAfterMs: nowMs + CA_LIFETIME_MS,
          publicKey,
          issuerPublicKey: publicKey,
        },
        privateKey,
      );
      // The key last: a crash in between leaves a certificate without a key, which the next start replaces.
      writeDurably(certificatePath, new X509Certificate(der).toString(), 0o644);
      writeDurably(keyPath, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 0o600);
    } else if (!existsSync(keyPath)) {
      rmSync(certificatePath);
      return CertificateAuthority.open(stateDir, nowMs);
    }
    try {
      const key = createPrivateKey(readFileSync(keyPath));
      const certificate = new X509Certificate(readFileSync(certificatePath));
      if (!certificate.checkPrivateKey(key)) throw new Error("the key is not the certificate's");
      return new CertificateAuthority(key, certificate);
    } catch (cause) {
      throw new ThalwegError('storage_failed', `the CA in stateDir ${stateDir} cannot be used: ${message(cause)}`, {
        cause,
        fields: { stateDir },
        nextStep: 'restore ca.key and ca.crt from the backup; without them every node has to join again',
      });
    }
  }

  /** A fresh key and certificate for the core's TLS server, in PEM. The key is kept in memory only. */
  makeServerIdentity(nowMs: number): { readonly key: string; readonly certificate: string } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const notAfterMs = Math.min(nowMs + SERVER_LIFETIME_MS, Date.parse(this.certificate.validTo));
    const der = this.#issue('server', CORE_SERVER_NAME, publicKey, newSerial(), nowMs, notAfterMs);
    return {
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      certificate: new X509Certificate(der).toString(),
    };
  }

  /** A client certificate for a node, valid from an hour ago for `lifetimeMs` from now. */
  issueNodeCertificate(nodeId: string, publicKey: KeyObject, nowMs: number, lifetimeMs: number): IssuedCertificate {
    const expiresAtMs = Math.floor((nowMs + lifetimeMs) / 1000) * 1000;
    const der = this.#issue('node', nodeId, publicKey, newSerial(), nowMs, expiresAtMs);
    return { der, serial: new X509Certificate(der).serialNumber, expiresAtMs };
  }

  /** True when this CA signed the certificate; says nothing about dates or revocation. */
  hasSigned(certificate: X509Certificate): boolean {
    try {
      return certificate.checkIssued(this.certificate) && certificate.verify(this.certificate.publicKey);
    } catch {
      return false;
    }
  }

  #issue(
    purpose: 'server' | 'node',
    subject: string,
    publicKey: KeyObject,
    serial: Uint8Array,
    nowMs: number,
    notAfterMs: number,
  ): Uint8Array {
    return makeCertificate(
      {
        purpose,
        subject,
        issuer: CA_NAME,
        serial,
        notBeforeMs: nowMs - BACKDATE_MS,
        notAfterMs,
        publicKey,
        issuerPublicKey: this.certificate.publicKey,
        ...(purpose === 'server' ? { dnsNames: [CORE_SERVER_NAME] } : {}),
      },
      this.#key,
    );
  }
}

/** 16 random bytes with the first bit clear and the first byte never 0, so that the text form has a fixed length. */
function newSerial(): Uint8Array {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

/** Writes beside and renames, so that a crash or a full disk leaves no half file. */
function writeDurably(path: string, text: string, mode: number): void {
  const temporary = `${path}.new`;
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, 'wx', mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw storageError(cause, `cannot write ${path}`);
  }
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
