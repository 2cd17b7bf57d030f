/** What is known of a node that is online. */
import type { NodeSession } from './node-session.ts';

export interface LiveNode {
  readonly session: NodeSession;
  readonly sinceMs: number;
  clockSkewMs: number | null;
  /** Its agent can change its WireGuard key. */
  readonly turnsKey: boolean;
}
