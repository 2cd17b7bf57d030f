/** The operator's side of a rotation of the CA: begins it, says how far it is, and ends it when nobody needs the old one. */
import type { CaView } from '../../protocol/api.ts';
import type { Clock, Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import { type Actor, NO_SUBJECT, type Store } from '../store/store.ts';
import type { SessionHub } from './session-hub.ts';

/** What ends by itself ends at the hour: nothing waits for it. */
const CHECK_MS = 3_600_000;
/** Names that an answer lists; the counts are of all. */
const MAX_NAMES = 100;

export interface CaRotationDeps {
  readonly authority: MeshAuthority;
  readonly registry: NodeRegistry;
  readonly hub: SessionHub;
  readonly store: Pick<Store, 'noteAudit'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The agent port is to present a certificate of the CA of now. */
  readonly serverChanged: () => void;
}

export interface CaRotationOptions {
  readonly certificateLifetimeMs: number;
  readonly certificateGraceMs: number;
  /** Other cores may use the store: they would go on with the CA of their own folder. */
  readonly isShared: boolean;
}

export class CaRotation {
  readonly #deps: CaRotationDeps;
  readonly #options: CaRotationOptions;
  #timer: Timer | undefined;

  constructor(deps: CaRotationDeps, options: CaRotationOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#deps.clock.after(CHECK_MS, () => {
      this.check();
      this.start();
    });
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
  }

  view(): CaView {
    const { authority, clock } = this.#deps;
    const { moved, left } = this.#nodes();
    const { next } = authority;
    return {
      fingerprint: authority.fingerprint,
      expiresAtMs: Date.parse(authority.certificate.validTo),
      rotation:
        next === null
          ? null
          : {
              fingerprint: next.fingerprint,
              startedAtMs: next.startedAtMs,
              moved,
              waiting: left.filter(({ isOnline }) => isOnline).length,
              away: left.filter(({ isOnline }) => !isOnline).length,
              names: left.slice(0, MAX_NAMES).map(({ name }) => name),
              lastEndsAtMs: left.reduce((last, { endsAtMs }) => Math.max(last, endsAtMs), clock.nowMs()),
            },
    };
  }

  /** Throws conflict, disk_full, storage_failed. */
  rotate(by: Actor): CaView {
    const { authority, hub, clock, log } = this.#deps;
    if (this.#options.isShared) {
      throw new ThalwegError('conflict', 'the CA of cores that share a store in NATS cannot be rotated', {
        nextStep: 'keep its key as safe as before: the CA is valid for 20 years',
      });
    }
    authority.rotate(clock.nowMs());
    this.#note('ca_rotated', by);
    log.info('a new CA is trusted beside the old one', { fingerprint: authority.next?.fingerprint });
    this.#deps.serverChanged();
    hub.renewal.tellAll();
    return this.view();
  }

  /** Throws conflict while nodes need the old CA, unless `isForced`: those have to join again. */
  finish(isForced: boolean, by: Actor): CaView {
    const { authority, hub, log } = this.#deps;
    const { left } = this.#nodes();
    if (authority.next !== null && left.length > 0 && !isForced) {
      const names = left.slice(0, 10).map(({ name }) => name);
      throw new ThalwegError(
        'conflict',
        `${left.length} nodes have a certificate of the old CA alone, and would have to join again: ${names.join(', ')}`,
        {
          fields: { nodes: left.length },
          nextStep: 'wait (see `thalweg core ca status`), remove what is gone for good, or give --force',
        },
      );
    }
    authority.finish();
    this.#note('ca_retired', by);
    log.info('the old CA is trusted no more', { fingerprint: authority.fingerprint, left: left.length });
    this.#deps.serverChanged();
    hub.renewal.tellAll();
    return this.view();
  }

  /** Ends a rotation whose old certificates have all ended, with their grace, or are replaced and over. */
  check(): void {
    const { authority, clock, log } = this.#deps;
    const { next } = authority;
    if (next === null || clock.nowMs() < next.startedAtMs + this.#options.certificateLifetimeMs) return;
    if (this.#nodes().left.some(({ endsAtMs }) => endsAtMs > clock.nowMs())) return;
    try {
      this.finish(true, 'core');
    } catch (cause) {
      log.error('the old CA cannot be retired', { error: String(cause) });
    }
  }

  #note(kind: 'ca_rotated' | 'ca_retired', by: Actor): void {
    this.#deps.store.noteAudit({ atMs: this.#deps.clock.nowMs(), kind, ...NO_SUBJECT, by });
  }

  #nodes() {
    const { registry, hub } = this.#deps;
    const left: { readonly name: string; readonly isOnline: boolean; readonly endsAtMs: number }[] = [];
    let moved = 0;
    for (const node of registry.nodes()) {
      const session = hub.live(node.index)?.session;
      if (hub.renewal.standing(node, session) === 'new') {
        moved++;
        continue;
      }
      const endsAtMs = node.certificateExpiresAtMs + this.#options.certificateGraceMs;
      left.push({ name: node.name, isOnline: session !== undefined, endsAtMs });
    }
    return { moved, left };
  }
}
