/** What is known of a node that is online. */
import type { AgentSession } from './agent-session.ts';

export interface LiveNode {
  readonly session: AgentSession;
  readonly sinceMs: number;
  clockSkewMs: number | null;
  /** Its agent can change its WireGuard key. */
  readonly turnsKey: boolean;
}
