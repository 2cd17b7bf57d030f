/** What /healthz says. Pure. */
import type { HealthView } from '../protocol/api.ts';
import type { ThalwegError } from '../protocol/error.ts';
import type { ConnectionState } from './core-connection.ts';

export interface HealthInput {
  /** Why the kernel does not hold what is wanted. */
  readonly fault: ThalwegError | undefined;
  /** Generation that the kernel holds. */
  readonly generation: bigint;
  readonly session: ConnectionState;
  readonly linksDown: number;
  readonly linksMeasured: number;
}

/** Healthy while the kernel takes what is wanted: a core that is away does not make the node forward worse. */
export function agentHealth({ fault, generation, session, linksDown, linksMeasured }: HealthInput): HealthView {
  return {
    ok: fault === undefined,
    checks: {
      dataPlane: { ok: fault === undefined, detail: fault?.message ?? `generation ${generation}` },
      session: { ok: session === 'established', detail: session },
      links: { ok: linksDown === 0, detail: `${linksDown} of ${linksMeasured} down` },
    },
  };
}
