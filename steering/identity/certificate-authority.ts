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
  sign,
  X509Certificate,
} from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { successionText } from '../../protocol/ca-succession.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { writeDurably } from './durable-file.ts';
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

const SERIAL_TAG_DIGITS = 6;

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

  /** A new one, on no disk yet. */
  static make(nowMs: number): CertificateAuthority {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const der = makeCertificate(
      {
        purpose: 'authority',
        subject: CA_NAME,
        issuer: CA_NAME,
        serial: newSerial(''),
        notBeforeMs: nowMs - BACKDATE_MS,
        notAfterMs: nowMs + CA_LIFETIME_MS,
        publicKey,
        issuerPublicKey: publicKey,
      },
      privateKey,
    );
    return new CertificateAuthority(privateKey, new X509Certificate(der));
  }

  /** From PEM. Throws what node:crypto throws, and when the key is another certificate's. */
  static from(keyPem: string | Buffer, certificatePem: string | Buffer): CertificateAuthority {
    const key = createPrivateKey(keyPem);
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.checkPrivateKey(key)) throw new Error("the key is not the certificate's");
    return new CertificateAuthority(key, certificate);
  }

  /** Reads `ca.key` and `ca.crt` from the state directory, or makes them. Throws storage_failed, disk_full, invalid_config. */
  static open(stateDir: string, nowMs: number): CertificateAuthority {
    const keyPath = join(stateDir, 'ca.key');
    const certificatePath = join(stateDir, 'ca.crt');
    if (!existsSync(keyPath)) {
      rmSync(certificatePath, { force: true });
      const made = CertificateAuthority.make(nowMs);
      made.save(stateDir);
      return made;
    }
    try {
      return CertificateAuthority.from(readFileSync(keyPath), readFileSync(certificatePath));
    } catch (cause) {
      throw new ThalwegError('storage_failed', `the CA in stateDir ${stateDir} cannot be used: ${message(cause)}`, {
        cause,
        fields: { stateDir },
        nextStep: 'restore ca.key and ca.crt from the backup; without them every node has to join again',
      });
    }
  }

  /** Writes `ca.crt` and `ca.key`. The key last: a crash in between leaves a certificate without its key. */
  save(stateDir: string): void {
    writeDurably(join(stateDir, 'ca.crt'), this.certificate.toString(), 0o644);
    writeDurably(join(stateDir, 'ca.key'), this.keyPem, 0o600);
  }

  /** PKCS #8. Secret. */
  get keyPem(): string {
    return this.#key.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  /** This CA's word that another one follows it (protocol: CaResponse.predecessor_signature). */
  signSuccessor(successorDer: Uint8Array): Uint8Array {
    return new Uint8Array(sign('sha256', successionText(successorDer), this.#key));
  }

  /** Whether a node certificate with this serial is of this CA; of one that was made before serials said so, false. */
  hasNumbered(serial: string): boolean {
    return serial.slice(2, 2 + SERIAL_TAG_DIGITS).toLowerCase() === this.fingerprint.slice(0, SERIAL_TAG_DIGITS);
  }

  /** A fresh key and certificate for the core's TLS server, in PEM. The key is kept in memory only. */
  makeServerIdentity(nowMs: number): { readonly key: string; readonly certificate: string } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const notAfterMs = Math.min(nowMs + SERVER_LIFETIME_MS, Date.parse(this.certificate.validTo));
    const der = this.#issue('server', CORE_SERVER_NAME, publicKey, newSerial(this.fingerprint), nowMs, notAfterMs);
    return {
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      certificate: new X509Certificate(der).toString(),
    };
  }

  /** A client certificate for a node, valid from an hour ago for `lifetimeMs` from now. */
  issueNodeCertificate(nodeId: string, publicKey: KeyObject, nowMs: number, lifetimeMs: number): IssuedCertificate {
    const expiresAtMs = Math.floor((nowMs + lifetimeMs) / 1000) * 1000;
    const der = this.#issue('node', nodeId, publicKey, newSerial(this.fingerprint), nowMs, expiresAtMs);
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

/**
 * 16 bytes, of which the first begins with the bits 01, so that the text form has a fixed length; the next three are the first
 * of the CA's fingerprint, the others random: 100 bits, of which RFC 5280's users ask for 64.
 */
function newSerial(fingerprint: string): Uint8Array {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  serial.set(Buffer.from(fingerprint.slice(0, SERIAL_TAG_DIGITS), 'hex'), 1);
  return serial;
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
