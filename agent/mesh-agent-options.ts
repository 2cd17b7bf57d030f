/** What one agent is told and given when it starts. */
import type { Overlay } from '../overlay/overlay-state.ts';
import type { Prober } from '../overlay/stamp/prober.ts';
import type { Clock } from '../protocol/clock.ts';
import type { PublicKey } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import type { ReconnectOptions } from '../protocol/reconnect.ts';
import type { OpenCoreStream } from './core-stream.ts';
import type { HelloOptions } from './hello.ts';
import type { Identity, IdentityStore } from './identity.ts';
import type { DetectionRules } from './link-use.ts';
import type { AgentMetrics } from './metrics.ts';

export interface MeshAgentDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly overlay: Overlay;
  /** A fresh prober: one is used for as long as the node's tunnel address stays. */
  readonly createProber: () => Prober;
  readonly open: OpenCoreStream;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** 16 random bytes that tell this run from the last. */
  readonly instanceId: Uint8Array;
  readonly identityStore: IdentityStore;
  readonly metrics: AgentMetrics;
}

export interface MeshAgentOptions extends HelloOptions {
  readonly identity: Identity;
  readonly publicKey: PublicKey;
  /** How links in use are watched. */
  readonly detection: DetectionRules;
  readonly reconcileIntervalMs: number;
  readonly reconnect?: ReconnectOptions;
  /** Age at which the WireGuard key is changed, about; absent or 0: never by itself. */
  readonly keyLifetimeMs?: number;
}
