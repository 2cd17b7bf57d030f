/**
 * The CA of the mesh, and the one that follows it. A rotation has an overlap in which both are trusted:
 *
 *   one CA --rotate--> overlap: the present CA's certificate is the server's, nodes that trust the next one get theirs of it
 *          <--finish-- the next one is the present one; of the one before only its certificate is kept, and its word for this one
 *
 * `ca.key` and `ca.crt` hold the present CA, `ca-rotation.json` (0600) the rest. A crash at any moment leaves one of the two
 * states: finishing is written down first, and done again at the next start.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import { CertificateAuthority, type IssuedCertificate } from './certificate-authority.ts';
import { writeDurably } from './durable-file.ts';

export const ROTATION_FILE = 'ca-rotation.json';

const succession = z.strictObject({ certificate: z.string(), signature: z.string() });
const rotationFile = z.strictObject({
  /** Present while two are trusted; `isFinal`: it is to be the present one. */
  next: z
    .strictObject({ key: z.string(), certificate: z.string(), startedAtMs: z.number(), isFinal: z.boolean() })
    .optional(),
  /** The CA before the present one, and its signature over the present one. */
  predecessor: succession.optional(),
});
type RotationFile = z.output<typeof rotationFile>;

/** A CA that another one follows. */
export interface Predecessor {
  readonly der: Uint8Array;
  readonly signature: Uint8Array;
}

export class MeshAuthority {
  readonly #stateDir: string;
  #present: CertificateAuthority;
  #next: CertificateAuthority | undefined;
  #file: RotationFile;

  private constructor(stateDir: string, present: CertificateAuthority, file: RotationFile) {
    this.#stateDir = stateDir;
    this.#present = present;
    this.#file = file;
    this.#next = file.next && CertificateAuthority.from(file.next.key, file.next.certificate);
  }

  /** Throws storage_failed, disk_full, invalid_config. */
  static open(stateDir: string, nowMs: number): MeshAuthority {
    const file = readRotation(stateDir);
    if (file.next?.isFinal === true) complete(stateDir, file, file.next);
    return new MeshAuthority(stateDir, CertificateAuthority.open(stateDir, nowMs), readRotation(stateDir));
  }

  /** The present CA's: what the server's certificate is of. */
  get certificate(): X509Certificate {
    return this.#present.certificate;
  }

  /** SHA-256 over the present CA's DER, 64 hex digits: what join tokens pin. */
  get fingerprint(): string {
    return this.#present.fingerprint;
  }

  get next(): { readonly fingerprint: string; readonly startedAtMs: number } | null {
    const startedAtMs = this.#file.next?.startedAtMs;
    if (this.#next === undefined || startedAtMs === undefined) return null;
    return { fingerprint: this.#next.fingerprint, startedAtMs };
  }

  /** All that nodes are to trust; the last one is what their certificates are to be of. */
  get anchors(): readonly CertificateAuthority[] {
    return this.#next === undefined ? [this.#present] : [this.#present, this.#next];
  }

  get predecessor(): Predecessor | null {
    const { predecessor } = this.#file;
    if (predecessor === undefined) return null;
    const der = new Uint8Array(new X509Certificate(predecessor.certificate).raw);
    return { der, signature: new Uint8Array(Buffer.from(predecessor.signature, 'base64')) };
  }

  makeServerIdentity(nowMs: number): { readonly key: string; readonly certificate: string } {
    return this.#present.makeServerIdentity(nowMs);
  }

  /** Of the present CA: see CertificateAuthority. */
  issueNodeCertificate(nodeId: string, publicKey: KeyObject, nowMs: number, lifetimeMs: number): IssuedCertificate {
    return this.#present.issueNodeCertificate(nodeId, publicKey, nowMs, lifetimeMs);
  }

  /** True when a CA of now signed the certificate; says nothing about dates or revocation. */
  hasSigned(certificate: X509Certificate): boolean {
    return this.anchors.some((authority) => authority.hasSigned(certificate));
  }

  /** Begins the overlap. Throws conflict while there is one. */
  rotate(nowMs: number): void {
    if (this.#next !== undefined) {
      throw new ThalwegError('conflict', 'the CA is being rotated already', {
        nextStep: 'look at `thalweg core ca status`, and end it with `thalweg core ca rotate --finish`',
      });
    }
    const next = CertificateAuthority.make(nowMs);
    const certificate = next.certificate.toString();
    this.#write({ ...this.#file, next: { key: next.keyPem, certificate, startedAtMs: nowMs, isFinal: false } });
    this.#next = next;
  }

  /** Ends the overlap: certificates of the CA before open nothing from now on. Throws conflict when there is none. */
  finish(): void {
    const { next } = this.#file;
    if (this.#next === undefined || next === undefined) {
      throw new ThalwegError('conflict', 'the CA is not being rotated', {
        nextStep: 'begin with `thalweg core ca rotate`',
      });
    }
    const signature = Buffer.from(this.#present.signSuccessor(this.#next.certificate.raw)).toString('base64');
    const predecessor = { certificate: this.#present.certificate.toString(), signature };
    const file = { predecessor, next: { ...next, isFinal: true } };
    this.#write(file);
    complete(this.#stateDir, file, file.next);
    this.#file = { predecessor };
    this.#present = this.#next;
    this.#next = undefined;
  }

  #write(file: RotationFile): void {
    writeRotation(this.#stateDir, file);
    this.#file = file;
  }
}

/** What is left to do when `isFinal` is on the disk. Idempotent. */
function complete(stateDir: string, file: RotationFile, next: NonNullable<RotationFile['next']>): void {
  CertificateAuthority.from(next.key, next.certificate).save(stateDir);
  writeRotation(stateDir, { predecessor: file.predecessor });
}

function writeRotation(stateDir: string, file: RotationFile): void {
  writeDurably(join(stateDir, ROTATION_FILE), `${JSON.stringify(file, null, 2)}\n`, 0o600);
}

function readRotation(stateDir: string): RotationFile {
  const path = join(stateDir, ROTATION_FILE);
  if (!existsSync(path)) return {};
  try {
    return rotationFile.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ThalwegError('storage_failed', `${path} is damaged`, {
      cause,
      fields: { path },
      nextStep: 'restore it from the backup; without it the CA in ca.crt is the only one that is trusted',
    });
  }
}
