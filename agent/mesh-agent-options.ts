/** What one agent is told when it starts. */
import type { PublicKey } from '../protocol/identifier.ts';
import type { ReconnectOptions } from '../protocol/reconnect.ts';
import type { Identity } from './identity.ts';
import type { DetectionRules } from './link-use.ts';

export interface MeshAgentOptions {
  readonly identity: Identity;
  readonly publicKey: PublicKey;
  readonly listenPort: number;
  readonly transit: boolean;
  /** Leaves that may have this node as their home; a node that does not transit takes none. */
  readonly leafCapacity: number;
  /** What the access was configured to carry, in bits per second; absent or null: to be learned. */
  readonly uplinkBps?: number | null;
  readonly downlinkBps?: number | null;
  readonly stampPort: number;
  /** How links in use are watched. */
  readonly detection: DetectionRules;
  readonly reconcileIntervalMs: number;
  readonly reconnect?: ReconnectOptions;
}
