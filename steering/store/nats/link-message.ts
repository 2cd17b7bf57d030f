/**
 * What the core's thread and the thread that speaks to NATS say to each other. The core's thread waits for each answer, as it
 * waits for a disk; entries of other cores come whenever there are some, in the order of the log, and never after an answer that
 * says that they are there.
 */
import type { MessagePort } from 'node:worker_threads';
import type { LeaseState } from './lease.ts';
import type { NatsSettings } from './nats-settings.ts';

export interface LinkWorkerData {
  readonly settings: NatsSettings;
  /**
   * Three 32-bit numbers: messages to the core's thread, which waits on it (Atomics.wait); 1 while this core may act as the
   * one that steers; a count that the core's thread raises as long as it is alive.
   */
  readonly signal: SharedArrayBuffer;
  /** Requests come from it, answers go into it. */
  readonly port: MessagePort;
  /** What the lease is held under: of this process alone. */
  readonly coreId: string;
}

export interface SavedTables {
  /** A whole SQLite database. */
  readonly bytes: Uint8Array;
  /** The log's entries after this one are not in it. */
  readonly seq: number;
}

export interface SavedEngine {
  readonly state: Uint8Array | undefined;
  readonly records: Uint8Array[];
}

export type LinkRequest =
  /** Connects, and gives the newest snapshot of the tables; what came since follows as entries. */
  | { readonly kind: 'open' }
  /** Tells of all entries that there are now. */
  | { readonly kind: 'catchUp' }
  /** Answered with its place, or with `behind` once the entries that it did not know have been told. */
  | { readonly kind: 'append'; readonly bytes: Uint8Array; readonly after: number }
  | { readonly kind: 'loadEngine' }
  | { readonly kind: 'saveEngine'; readonly state: Uint8Array }
  | { readonly kind: 'recordEngine'; readonly record: Uint8Array }
  | { readonly kind: 'saveTables'; readonly tables: SavedTables }
  /** From now on the lease is looked after; the first state follows. */
  | { readonly kind: 'campaign' }
  | { readonly kind: 'close' };

/** What the core's thread has the other one carry between cores; nobody waits for it. */
export type RelayMessage =
  /** From now on packets for this core come in. */
  | { readonly kind: 'join' }
  /** This core steers. */
  | { readonly kind: 'serve'; readonly term: number }
  /** `to`: a holder's id; null: the solver of that term. */
  | { readonly kind: 'send'; readonly to: string | null; readonly term: number; readonly packet: Uint8Array };

/** What comes from other cores. */
export type RelayNews =
  | { readonly kind: 'connected'; readonly isConnected: boolean }
  | { readonly kind: 'solver'; readonly core: string; readonly term: number }
  | { readonly kind: 'fromHolder'; readonly core: string; readonly packet: Uint8Array }
  | { readonly kind: 'fromSolver'; readonly packet: Uint8Array };

export type LinkAnswer =
  | { readonly kind: 'opened'; readonly tables: SavedTables | undefined }
  | { readonly kind: 'appended'; readonly seq: number }
  | { readonly kind: 'behind' }
  | { readonly kind: 'engine'; readonly engine: SavedEngine }
  | { readonly kind: 'done' };

export type MessageToLink =
  | { readonly ticket: number; readonly request: LinkRequest }
  | { readonly relay: RelayMessage };

export type MessageFromLink =
  | { readonly kind: 'answer'; readonly ticket: number; readonly answer: LinkAnswer }
  | { readonly kind: 'refusal'; readonly ticket: number; readonly code: string; readonly message: string }
  | { readonly kind: 'entry'; readonly seq: number; readonly bytes: Uint8Array }
  | { readonly kind: 'lease'; readonly state: LeaseState }
  | { readonly kind: 'relay'; readonly relay: RelayNews }
  /** This core cannot go on, and why. */
  | { readonly kind: 'lost'; readonly why: string };

/** Places in the shared numbers. */
export const SIGNAL = { messages: 0, mayAct: 1, alive: 2, bytes: 12 } as const;
