/**
 * Changes this node's WireGuard key without losing packets. A device has one private key, so the order is all there is:
 *
 *   1. wireguard-next.key is written, and its public key proposed to the core
 *   2. accepted: wireguard.key is kept as wireguard-previous.key, the next one takes its place, the device gets it. What it
 *      sends from now on waits in WireGuard, which holds 128 packets for each peer; what peers send under the old key still comes in
 *   3. the core hears of it and tells the peers; each begins a session with the new key, and what waited goes out
 *   4. done: wireguard-previous.key goes
 *
 * Killed in between, the agent goes on at the next start with the key in wireguard.key: the core takes either until step 4.
 */
import { createHash } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import type { Clock, Timer } from '../protocol/clock.ts';
import type { AgentBody } from '../protocol/frame-codec.ts';
import { KeyStep, type KeyTurn } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { type PublicKey, publicKeyToBytes } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import { SerialWork } from '../protocol/serial-work.ts';
import { readSmallFile, writeFileAtomically } from './atomic-file.ts';
import type { IdentityStore } from './identity.ts';
import { generateWireGuardKey, wireGuardPublicKey } from './wireguard-key.ts';

export interface KeyRotationDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identityStore: IdentityStore;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly send: (body: AgentBody) => void;
  /** Makes the kernel hold what wireguard.key says. */
  readonly apply: () => Promise<void>;
}

export interface KeyRotationOptions {
  /** The key as the agent started with it. */
  readonly publicKey: PublicKey;
  /** A key is turned at this age, give or take a tenth; 0: never by itself. */
  readonly lifetimeMs: number;
}

const MAX_KEY_BYTES = 1024;
/** How often the age is looked at. */
const LOOK_MS = 600_000;

export class KeyRotation {
  readonly #deps: KeyRotationDeps;
  readonly #options: KeyRotationOptions;
  #publicKey: PublicKey;
  #lookedAtMonoMs = Number.NEGATIVE_INFINITY;
  #wait: Timer | undefined;
  /** Files are changed one after the other. */
  readonly #work = new SerialWork();

  constructor(deps: KeyRotationDeps, options: KeyRotationOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#publicKey = options.publicKey;
  }

  /** What the device has, or is to have at once. */
  get publicKey(): PublicKey {
    return this.#publicKey;
  }

  /** The core has welcomed this node with its key: what a turn left behind goes, and one that was not accepted is proposed again. */
  sessionBegan(): void {
    this.#next(async () => {
      await this.#drop('wireguard-previous.key');
      const next = await this.#read('wireguard-next.key');
      if (next !== undefined) this.#propose(next);
    });
  }

  /** The core was heard: turns the key when it is old enough. */
  heardCore(): void {
    const { clock, identityStore } = this.#deps;
    const { lifetimeMs } = this.#options;
    if (lifetimeMs === 0 || clock.monoMs() - this.#lookedAtMonoMs < LOOK_MS) return;
    this.#lookedAtMonoMs = clock.monoMs();
    this.#next(async () => {
      const { mtimeMs } = await stat(identityStore.path('wireguard.key'));
      if (clock.nowMs() - mtimeMs >= lifetimeMs * ageFactor(this.#publicKey)) await this.#begin();
    });
  }

  turn({ step, publicKey, withinMs }: Pick<KeyTurn, 'step' | 'publicKey' | 'withinMs'>): void {
    const isOurs = Buffer.from(publicKey).equals(publicKeyToBytes(this.#publicKey));
    switch (step) {
      case KeyStep.ROTATE:
        this.#wait?.cancel();
        this.#wait = this.#deps.clock.after(this.#deps.random() * withinMs, () => this.#next(() => this.#begin()));
        return;
      case KeyStep.ACCEPTED:
        this.#next(() => this.#use(publicKey));
        return;
      case KeyStep.DONE:
        if (isOurs) this.#next(() => this.#drop('wireguard-previous.key'));
        return;
      case KeyStep.REFUSED:
        this.#deps.log.warn('the core refused the next WireGuard key');
        this.#next(() => this.#drop('wireguard-next.key'));
        return;
      default:
    }
  }

  /** Resolves when no file is being changed. Idempotent. */
  stop(): Promise<void> {
    this.#wait?.cancel();
    return this.#work.idle();
  }

  async #begin(): Promise<void> {
    let next = await this.#read('wireguard-next.key');
    if (next === undefined) {
      next = `${generateWireGuardKey()}\n`;
      await writeFileAtomically(this.#deps.identityStore.path('wireguard-next.key'), next, 0o600);
    }
    this.#propose(next);
  }

  #propose(privateKey: string): void {
    const publicKey = publicKeyToBytes(wireGuardPublicKey(privateKey));
    this.#deps.send({ case: 'keyProposal', value: { publicKey } });
  }

  async #use(accepted: Uint8Array): Promise<void> {
    const { identityStore, apply, send, log } = this.#deps;
    const next = await this.#read('wireguard-next.key');
    if (next === undefined) return;
    const publicKey = wireGuardPublicKey(next);
    if (!Buffer.from(accepted).equals(publicKeyToBytes(publicKey))) return;
    const present = await this.#read('wireguard.key');
    if (present !== undefined) {
      await writeFileAtomically(identityStore.path('wireguard-previous.key'), present, 0o600);
    }
    // its age counts from now, as a file that is written now
    await writeFileAtomically(identityStore.path('wireguard.key'), next, 0o600);
    await this.#drop('wireguard-next.key');
    this.#publicKey = publicKey;
    // where the kernel does not take it now, comparing it with what is wanted does it within seconds
    await apply().catch((cause: unknown) =>
      log.error('the kernel did not take the new key at once', { reason: String(cause) }),
    );
    send({ case: 'keyInUse', value: { publicKey: publicKeyToBytes(publicKey) } });
    log.info('WireGuard key changed');
  }

  async #read(file: 'wireguard.key' | 'wireguard-next.key'): Promise<string | undefined> {
    return (await readSmallFile(this.#deps.identityStore.path(file), MAX_KEY_BYTES))?.toString('utf8');
  }

  async #drop(file: 'wireguard-next.key' | 'wireguard-previous.key'): Promise<void> {
    await rm(this.#deps.identityStore.path(file), { force: true });
  }

  #next(work: () => Promise<void>): void {
    this.#work.run(work).catch((cause: unknown) => {
      this.#deps.log.error('the WireGuard key cannot be changed', { reason: String(cause) });
    });
  }
}

/** 0.9 to 1.1, always the same for a key: a fleet that joined in one hour does not turn its keys in one hour. */
function ageFactor(key: PublicKey): number {
  return 0.9 + (0.2 * createHash('sha256').update(key).digest().readUInt32BE(0)) / 2 ** 32;
}
