/**
 * The core's store as the rest of the core sees it. Calls are synchronous: each mutation is one durable commit, so
 * what a caller was told has happened survives a kill at any moment. All times are milliseconds since 1970.
 *
 * Methods throw ThalwegError disk_full, storage_failed or conflict; after a throw nothing of that call has happened,
 * and the store is usable.
 */
import type { ApiRole, AuditView } from '../../protocol/api.ts';
import type { NodeId, NodeIndex, NodeName, PublicKey } from '../../protocol/identifier.ts';

export type Labels = Readonly<Record<string, string>>;

/** What a node last said about the host it runs on. */
export interface NodeHost {
  /** Candidates as `address:port`, best first: what the node reported and where its session came from. */
  readonly endpoints: readonly string[];
  readonly listenPort: number;
  readonly underlayMtuBytes: number;
  readonly transit: boolean;
  readonly stampPort: number;
  readonly software: string;
  readonly wireguardBackend: string;
  /** Leaves that it takes as their home; undefined: an agent that knows no leaves. */
  readonly leafCapacity?: number | undefined;
}

export interface NodeRecord {
  readonly id: NodeId;
  readonly index: NodeIndex;
  readonly name: NodeName;
  readonly publicKey: PublicKey;
  /** SHA-256 over the TLS public key the node joined with (subjectPublicKeyInfo), hex. */
  readonly tlsKeyHash: string;
  readonly labels: Labels;
  readonly tokenId: string;
  readonly joinedAtMs: number;
  readonly lastSeenAtMs: number;
  /** Serial of the newest certificate, and of the one before it, which stays good until the node has used the newest. */
  readonly serial: string;
  readonly previousSerial: string | null;
  readonly certificateExpiresAtMs: number;
  /** Null before the node's first session. */
  readonly host: NodeHost | null;
}

export interface RemovedNode {
  readonly id: string;
  readonly index: number;
  readonly name: string;
  readonly removedAtMs: number;
}

export interface TokenRecord {
  /** 12 characters a-z2-7. */
  readonly id: string;
  /** SHA-256 over the 32 random bytes of the secret: no stretching is needed for a key of full entropy. */
  readonly secretHash: Uint8Array;
  readonly labels: Labels;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly uses: number;
  readonly used: number;
  readonly revokedAtMs: number | null;
}

export interface KeyRecord {
  /** 12 characters a-z2-7. */
  readonly id: string;
  readonly name: string;
  readonly role: ApiRole;
  /** SHA-256 over the 32 random bytes of the secret. */
  readonly secretHash: Uint8Array;
  readonly createdAtMs: number;
  /** Null: never. */
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** Written rarely: only good to some minutes. */
  readonly lastUsedAtMs: number | null;
}

/** Who changed something, as `AuditView.by` says it: never a secret. */
export type Actor = string;

export type AuditEntry = AuditView;

/** What an entry of the audit is not about. */
export const NO_SUBJECT = { nodeId: null, name: null, tokenId: null, keyId: null } as const;

export interface Store {
  /**
   * One durable commit for all mutations that `work` makes: it takes a disk flush for all of them instead of one each.
   * A mutation that throws inside is undone alone; when `work` or the commit throws, all are.
   */
  transaction(work: () => void): void;
  setting(key: string): string | undefined;
  setSetting(key: string, value: string): void;
  /** False when there is none. */
  deleteSetting(key: string): boolean;
  /** Opaque state of the steering engine, saved whole; with it the records that it holds already go. */
  engineState(): Uint8Array | undefined;
  saveEngineState(state: Uint8Array): void;
  /**
   * Opaque records of what the engine did since, oldest first. They and the state outlive a killed core; a power failure may take
   * the last ones, and nodes that hold what they say are then sent their whole tables.
   */
  engineRecords(): Uint8Array[];
  appendEngineRecord(record: Uint8Array): void;

  insertToken(token: TokenRecord, by: Actor): void;
  token(id: string): TokenRecord | undefined;
  tokens(): TokenRecord[];
  /** False when there is no such token. Revoking twice keeps the first time. */
  revokeToken(id: string, atMs: number, by: Actor): boolean;

  insertKey(key: KeyRecord, by: Actor): void;
  key(id: string): KeyRecord | undefined;
  /** Oldest first. */
  keys(): KeyRecord[];
  /** False when there is no such key. Revoking twice keeps the first time. */
  revokeKey(id: string, atMs: number, by: Actor): boolean;
  /** When a key was last used. Nothing when there is no such key. */
  setKeyUsed(id: string, atMs: number): void;

  nodes(): NodeRecord[];
  /** Nodes removed after `sinceMs`, whose indexes are still in quarantine. */
  removedSince(sinceMs: number): RemovedNode[];
  wasRemoved(id: string): boolean;
  /**
   * One commit: counts one use of `node.tokenId`, inserts the node, writes the audit. Throws token_used_up,
   * token_expired or token_revoked when the token is no longer good at `node.joinedAtMs`; name_taken or conflict when
   * the name, the index or the key is held by another node.
   */
  admitNode(node: NodeRecord): void;
  /** The same device asked again with the same token and keys: replaces its certificate's serial. */
  readmitNode(node: NodeRecord): void;
  setCertificate(id: NodeId, serial: string, previousSerial: string | null, expiresAtMs: number): void;
  /** One commit: all labels of the node, and the audit with what changed. */
  setLabels(id: NodeId, labels: Labels, atMs: number, change: { readonly detail: string; readonly by: Actor }): void;
  /** One commit, with the audit. Throws conflict when another node holds the key. */
  setPublicKey(id: NodeId, publicKey: PublicKey, atMs: number): void;
  setHost(id: NodeId, host: NodeHost, lastSeenAtMs: number): void;
  /** Node id -> time, in one commit. */
  setLastSeen(times: ReadonlyMap<NodeId, number>): void;
  /** One commit: the node goes, its id and index are remembered as removed. False when there is no such node. */
  removeNode(id: NodeId, atMs: number, by: Actor): boolean;

  /** Writes an entry for a change that is not the store's own. */
  noteAudit(entry: AuditEntry): void;
  /** Newest first. */
  audit(limit: number): AuditEntry[];
  /** Throws when the store cannot be written now. Writes a few bytes durably. */
  probeWrite(nowMs: number): void;
  close(): void;
}
