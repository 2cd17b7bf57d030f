/**
 * Whether this core is the one that steers. With an embedded store it always is. On NATS it takes part in the lease: until it
 * holds it, it joins devices, makes and revokes tokens and holds agents' connections as any core does, but computes nothing. A
 * core that lost the lease ends, since others know more than it does; started again it stands by.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import { NatsStore } from '../store/nats/nats-store.ts';
import type { Store } from '../store/store.ts';
import { HeldConnections } from './held-connections.ts';

/** The lease is taken from a core whose thread says nothing for ten times this. */
const BEAT_MS = 1000;

/** What a change or a look needs that only the steering core has; everything else any core does. */
const ANY_CORE = ['/v1/tokens', '/v1/keys', '/v1/audit', '/healthz', '/metrics', '/v1/openapi.json', '/v1/ca'];

export interface SolverRoleDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Starts steering, from what the store holds. Called once. `term` rises with every core that steers; 0: there is no other. */
  readonly begin: (term: number) => void;
  /** Another core has renewed the lease. */
  readonly renewalSeen: () => void;
  /** Steering could not be started. */
  readonly failed: (error: unknown) => void;
}

export class SolverRole {
  readonly #deps: SolverRoleDeps;
  /** Agents' connections, until it is known who steers or there is a link to it. */
  readonly held: HeldConnections;
  #isSteering = false;
  #holder: string | null = null;
  /** The last holder that was logged. */
  #known: string | null = null;
  #timer: Timer | undefined;

  constructor(deps: SolverRoleDeps) {
    this.#deps = deps;
    this.held = new HeldConnections(deps.clock);
  }

  get isSteering(): boolean {
    return this.#isSteering;
  }

  /** Throws what `begin` throws where there is no other core. */
  start(): void {
    const { store } = this.#deps;
    if (!(store instanceof NatsStore)) {
      this.#deps.begin(0);
      this.#isSteering = true;
      this.held.begin();
      return;
    }
    this.#beat(store);
    store.campaign();
  }

  /** Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    this.#isSteering = false;
  }

  /** The state of the lease is another. */
  leaseChanged({ isHeld, holder, epoch }: { isHeld: boolean; holder: string | null; epoch: number }): void {
    const { log, begin, failed } = this.#deps;
    if (isHeld && !this.#isSteering) {
      log.info('this core steers', { epoch });
      try {
        begin(epoch);
        this.#isSteering = true;
        this.held.begin();
      } catch (cause) {
        failed(cause);
      }
    } else if (!this.#isSteering && holder !== null && holder !== this.#known) {
      this.#known = holder;
      log.info('another core steers; standing by', { holder });
    } else if (this.#isSteering && !isHeld) {
      log.warn('the lease could not be renewed; nothing is sent until it is', { epoch });
      this.held.doubt();
    } else if (this.#isSteering) {
      this.held.begin();
    }
    this.#holder = holder;
    if (!this.#isSteering && holder !== null) this.#deps.renewalSeen();
  }

  /** Why this core does not do what a request asks; undefined: it does. `path` without the query. */
  refusal(path: string, method: string): ThalwegError | undefined {
    if (this.#isSteering || ANY_CORE.some((one) => path === one || path.startsWith(`${one}/`))) return undefined;
    if (method === 'DELETE' && path.startsWith('/v1/nodes/')) return undefined;
    return new ThalwegError('conflict', 'this core stands by: another one steers', {
      fields: { holder: this.#holder },
      nextStep: 'ask the core that steers; tokens are made, and nodes removed, on any core',
    });
  }

  #beat(store: NatsStore): void {
    store.beat();
    this.#timer = this.#deps.clock.after(BEAT_MS, () => this.#beat(store));
  }
}
