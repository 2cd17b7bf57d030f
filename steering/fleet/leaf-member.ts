/** One leaf as the core knows it: its own table, what was said about its links, and how others reach it. */
import type { RouteRow } from '../../protocol/route-table.ts';
import type { NodeTable } from '../rollout/node-table.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import type { LeafRollout } from './leaf-rollout.ts';

/** The last word of one end of a link. */
export interface LinkWord {
  readonly observation: LinkObservation;
  readonly atMs: number;
}

/** Words of both ends, each about the other. */
export interface LeafLinkWords {
  own: LinkWord | null;
  theirs: LinkWord | null;
  /** Since when the session is open. */
  readonly openedMs: number;
}

export interface LeafMember {
  readonly index: number;
  name: string;
  readonly joinedMs: number;
  everConnected: boolean;
  readonly table: NodeTable;
  /** What its table is to hold. */
  rows: readonly RouteRow[];
  /** Rows towards the leaf in the tables of the transit nodes. */
  readonly rollout: LeafRollout;
  /** Sessions, by node index of the transit node. */
  readonly links: Map<number, LeafLinkWords>;
  /** RTTs in microseconds that were measured to transit nodes, also on sessions that are over. */
  readonly knownRttUs: Map<number, number>;
  /** What it sends most to, busiest first. */
  demands: readonly { readonly peerIndex: number; readonly bytesPerSecond: number }[];
  /** Keys of the rows that its table is to hold, with the row's neighbour: what was chosen stays unless beaten. */
  readonly exceptions: Map<number, number>;
  homeSinceMs: number;
  /** When it was last seen not to hold its default; packets by the one before may be on their way for a while after. */
  uplinkChangedMs: number;
  /** When its sessions are planned again. */
  planDueMs: number;
  /** When its turn to try another transit node comes; null: it waits for none. */
  roundAtMs: number | null;
}

/** RTT of a link by what its ends say, in microseconds; null: not measured, or down. */
export function rttOf({ own, theirs }: Pick<LeafLinkWords, 'own' | 'theirs'>): number | null {
  const known = [own, theirs].flatMap((word) =>
    word !== null && word.observation.health === 'up' && word.observation.rttUs !== null
      ? [word.observation.rttUs]
      : [],
  );
  return known.length === 0 ? null : Math.round(known.reduce((sum, rttUs) => sum + rttUs, 0) / known.length);
}
