/**
 * Shapes of the core's HTTP API (JSON), shared by the core that answers, the CLI that prints and the lab that
 * measures. All times are milliseconds since 1970 (UTC); all latencies are microseconds; an unmeasured number is null.
 *
 *   GET    /healthz                    HealthView (503 when not ok)
 *   GET    /metrics                    Prometheus text
 *   GET    /v1/openapi.json            OpenAPI 3.1
 *   GET    /v1/status                  StatusView
 *   GET    /v1/nodes                   NodeView[]
 *   GET    /v1/nodes/:name             NodeView
 *   DELETE /v1/nodes/:name             {} (admin)
 *   POST   /v1/nodes/:name             NodeChange -> NodeView (operator)
 *   POST   /v1/nodes/:name/key         {} -> NodeView, asks for another WireGuard key (operator)
 *   GET    /v1/links                   LinkView[]
 *   GET    /v1/paths                   PathView[]  (every ordered pair)
 *   GET    /v1/paths/:from/:to         PathExplanation
 *   GET    /v1/path-changes?after=SEQ  PathChange[]
 *   GET    /v1/demand?limit=N          DemandView
 *   GET    /v1/load                    LoadView
 *   POST   /v1/load                    { aware: boolean } -> LoadView (operator)
 *   GET    /v1/policy                  PolicyView (protocol/policy-api.ts)
 *   POST   /v1/policy                  PolicyApply -> PolicyChange (admin)
 *   DELETE /v1/policy                  PolicyChange (admin)
 *   POST   /v1/policy/test             PolicyTestQuestion -> PolicyTestAnswer (viewer)
 *   GET    /v1/audit?limit=N           AuditView[], newest first (viewer)
 *   GET    /v1/tokens                  TokenView[] (viewer)
 *   POST   /v1/tokens                  TokenCreate -> TokenCreated (operator)
 *   DELETE /v1/tokens/:id              {} (operator)
 *   GET    /v1/ca                      CaView (viewer)
 *   POST   /v1/ca                      { action: 'rotate' | 'finish', force? } -> CaView (admin)
 *   GET    /v1/keys                    KeyView[] (admin)
 *   POST   /v1/keys                    KeyCreate -> KeyCreated (admin)
 *   DELETE /v1/keys/:id                {} (admin)
 *
 * In brackets: the least role of an API key (`Authorization: Bearer twk1...`) that may ask. The local socket may do
 * everything; a route without a role wants a viewer's key, or none on loopback; /healthz never wants one.
 * Errors: the matching 4xx/5xx status and an ErrorObject (protocol/error.ts).
 */
import type { NodePolicyView, PolicySummary } from './policy-api.ts';

/** The terms of a link's or a path's cost, in microseconds. `totalUs` is their sum. */
export interface CostTerms {
  /** Smoothed RTT. */
  readonly rttUs: number;
  /** Price of loss. */
  readonly lossUs: number;
  /** Price of delay variation. */
  readonly jitterUs: number;
  /** Price of utilisation. */
  readonly loadUs: number;
  /** Fixed price of the transit hops of a path; 0 on a link. */
  readonly transitUs: number;
  readonly totalUs: number;
}

export interface HealthView {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

export interface StatusView {
  readonly version: string;
  readonly startedAtMs: number;
  readonly nodes: { readonly total: number; readonly online: number; readonly transit: number };
  readonly links: { readonly up: number; readonly down: number; readonly unmeasured: number };
  readonly paths: { readonly direct: number; readonly detour: number; readonly unreachable: number };
  readonly generation: string;
  /** Nodes whose acknowledged table is the newest the core has for them. */
  readonly converged: number;
  readonly addressPlan: { readonly tunnel: string; readonly node4: string; readonly node6: string };
  readonly agentAddresses: readonly string[];
  readonly policy: PolicySummary;
}

/** One of them at least. */
export interface NodeChange {
  readonly drained?: boolean;
  /** Labels to set; null takes one away. The others stay. */
  readonly labels?: Readonly<Record<string, string | null>>;
}

export interface NodeView {
  readonly id: string;
  readonly name: string;
  readonly index: number;
  readonly publicKey: string;
  readonly tunnelAddress: string;
  readonly node4: string;
  readonly node6: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly transit: boolean;
  /** Kept out of others' paths by an operator. */
  readonly drained: boolean;
  /** The transit node that a leaf hangs off; null: none, or no leaf. */
  readonly home: string | null;
  /** Leaves whose home a transit node is, and may be; null where the core's engine knows no leaves. */
  readonly leaves: number | null;
  readonly leafCapacity: number | null;
  readonly online: boolean;
  readonly joinedAtMs: number;
  /** Since when it is online, or when it was last seen. */
  readonly sinceMs: number;
  readonly endpoints: readonly string[];
  readonly software: string | null;
  readonly wireguardBackend: string | null;
  /** Generation that the node acknowledged, and the newest that the core has for it. */
  readonly tableGeneration: string;
  readonly wantedGeneration: string;
  readonly clockSkewMs: number | null;
  /** Null: there is no policy. */
  readonly policy: NodePolicyView | null;
  readonly certificateExpiresAtMs: number | null;
}

export interface LinkView {
  readonly from: string;
  readonly to: string;
  /** What the session plan makes of the pair; `planned` where every pair holds a session. */
  readonly role: 'planned' | 'leaving' | 'draining' | 'exploring';
  readonly health: 'up' | 'down' | 'unmeasured';
  readonly rttUs: number | null;
  readonly minRttUs: number | null;
  readonly jitterUs: number | null;
  readonly lossOutPpm: number | null;
  readonly lossInPpm: number | null;
  readonly handshakeAgeS: number | null;
  readonly cost: CostTerms | null;
  readonly updatedAtMs: number | null;
  /** Bits per second that the one sends to the other, by whatever path. */
  readonly demandBps: number | null;
  /** What the link carries now, for whomever, what it can carry as learned, and the one over the other. */
  readonly carriedBps: number | null;
  readonly capacityBps: number | null;
  readonly utilisation: number | null;
}

/** What load-aware steering does. Utilisations are of the fullest link or access; null: not looked at yet. */
export interface LoadView {
  readonly aware: boolean;
  /** `calm`: every path is the best by latency; `spread`: some destinations have weighted groups. */
  readonly state: 'calm' | 'spread';
  readonly highestUtilisation: number | null;
  /** With every pair on its best path by latency. */
  readonly latencyUtilisation: number | null;
  /** No tables whatever could be below; 0: not computed. */
  readonly lowerBound: number | null;
  readonly decidedAtMs: number | null;
  /** Changes of routes for load since the core started. */
  readonly changes: number;
  /** Meshes of more nodes are steered by latency alone. */
  readonly maxNodes: number;
}

/** How a pair's packets are split over paths. */
export interface PathSplit {
  /** Bits per second of the pair. */
  readonly demandBps: number;
  /** Load decided; otherwise it is the one path by latency. */
  readonly loadAware: boolean;
  /** Heaviest first, 8 at most; shares of 1. */
  readonly members: readonly {
    readonly path: readonly string[];
    readonly share: number;
    readonly cost: CostTerms | null;
    /** Of the fullest link or access of the path whose capacity is known, and which that is. */
    readonly utilisation: number | null;
    readonly limit: string | null;
  }[];
  /** If everybody sent twice as much. */
  readonly atTwice: {
    /** Of what is fullest on these paths, with tables as they are. */
    readonly utilisation: number | null;
    readonly limit: string | null;
    /** The part that would get through. */
    readonly fitting: number | null;
    /** Of the whole mesh, with the tables that load-aware steering would then make; null: no capacity is known. */
    readonly steeredUtilisation: number | null;
  };
}

/** One direction of a node's access; bits per second. */
export interface AccessSideView {
  readonly capacityBps: number | null;
  readonly source: 'configured' | 'learned' | 'unknown';
  readonly carriedBps: number;
  /** Null where the capacity is unknown. */
  readonly utilisation: number | null;
}

export interface AccessView {
  readonly node: string;
  readonly uplink: AccessSideView;
  readonly downlink: AccessSideView;
}

/** Demand: bits per second from node address to node address, smoothed, whatever the path. */
export interface DemandView {
  readonly totalBps: number;
  /** Pairs that are known one by one; `pairs` holds the largest of them. */
  readonly pairCount: number;
  readonly pairs: readonly { readonly from: string; readonly to: string; readonly bps: number }[];
  /** By sender: the sum of pairs too small to be kept one by one. */
  readonly others: readonly { readonly from: string; readonly bps: number }[];
  /** Values of reports that were not believed, since the core started. */
  readonly refused: number;
  readonly access: readonly AccessView[];
}

export interface PathView {
  readonly from: string;
  readonly to: string;
  /** Node names from source to destination; empty when unreachable. */
  readonly path: readonly string[];
  readonly kind: 'direct' | 'detour' | 'unreachable';
  /** Sum of the links' smoothed RTTs, and the direct link's. */
  readonly rttUs: number | null;
  readonly directRttUs: number | null;
  readonly cost: CostTerms | null;
  readonly sinceMs: number;
  readonly reason: string;
  /** Every node on the path has acknowledged the tables that make it. */
  readonly installed: boolean;
}

export interface PathExplanation extends PathView {
  readonly hops: readonly { readonly from: string; readonly to: string; readonly cost: CostTerms }[];
  /** Best path with another first hop; null when there is none. */
  readonly runnerUp: {
    readonly path: readonly string[];
    readonly cost: CostTerms;
    /** runner-up minus chosen; negative while hysteresis holds the chosen path against a better one. */
    readonly behindUs: number;
    /** One sentence: which term decided, or what holds the move back. */
    readonly whyNot: string;
  } | null;
  /** Null: there is no path. */
  readonly split: PathSplit | null;
  readonly recentChanges: readonly PathChange[];
}

export type PathChangeReason =
  | 'first_path'
  | 'better_path'
  | 'load'
  | 'link_degraded'
  | 'link_recovered'
  | 'link_down'
  | 'node_joined'
  | 'node_left'
  | 'unreachable';

export interface PathChange {
  /** Rises by one with each change since the core started. */
  readonly seq: number;
  readonly atMs: number;
  readonly from: string;
  readonly to: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly reason: PathChangeReason;
  /** Sentence with the numbers that decided. */
  readonly detail: string;
  readonly beforeCostUs: number | null;
  readonly afterCostUs: number | null;
}

export const AUDIT_KINDS = [
  'token_created',
  'token_revoked',
  'node_joined',
  'node_rejoined',
  'node_removed',
  'node_drained',
  'node_resumed',
  'load_on',
  'load_off',
  'key_created',
  'key_revoked',
  'store_restored',
  'node_key_asked',
  'node_key_changed',
  'ca_rotated',
  'ca_retired',
  'node_labelled',
  'policy_applied',
  'policy_cleared',
] as const;

/** The CA, and the one that follows it while both are trusted. Fingerprints are SHA-256 over the DER, 64 hex digits. */
export interface CaView {
  readonly fingerprint: string;
  readonly expiresAtMs: number;
  readonly rotation: {
    readonly fingerprint: string;
    readonly startedAtMs: number;
    /** Nodes whose certificate is of the new CA. */
    readonly moved: number;
    /** Nodes that are not, and are online; and that are offline. */
    readonly waiting: number;
    readonly away: number;
    /** Of these, up to 100. */
    readonly names: readonly string[];
    /** When the last of their certificates is good for nothing any more, its grace included. */
    readonly lastEndsAtMs: number;
  } | null;
}

/** A change that an operator or a device made. */
export interface AuditView {
  readonly atMs: number;
  readonly kind: (typeof AUDIT_KINDS)[number];
  readonly nodeId: string | null;
  /** Of the node or of the API key that was changed. */
  readonly name: string | null;
  readonly tokenId: string | null;
  readonly keyId: string | null;
  /**
   * Who did it. `socket`: somebody at the local socket, which is the user that runs the core, or root. `key:NAME:ID`: the
   * holder of that API key. `device`: the node itself. `host`: a command on the core's host while the core was stopped.
   * `core`: the core by itself.
   * Null: it was done before this was kept.
   */
  readonly by: string | null;
  /** What changed, where the kind does not say all: labels set and taken, the number of rules. */
  readonly detail?: string;
}

/** What a token may be asked to be: from a minute to a year, for up to so many nodes. */
export const TOKEN_LIMITS = { minExpiresInS: 60, maxExpiresInS: 31_536_000, maxUses: 100_000 } as const;

export interface TokenCreate {
  readonly labels?: Readonly<Record<string, string>>;
  /** Seconds until it expires. */
  readonly expiresInS?: number;
  /** How many nodes may join with it. */
  readonly uses?: number;
}

export interface TokenView {
  readonly id: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly uses: number;
  readonly used: number;
  readonly revoked: boolean;
  readonly state: 'valid' | 'expired' | 'used_up' | 'revoked';
  readonly labels: Readonly<Record<string, string>>;
}

/** The only moment at which the token's secret is shown. */
export interface TokenCreated extends TokenView {
  readonly token: string;
}

/** What an API key may do; each may also do what those before it may. */
export const API_ROLES = ['viewer', 'operator', 'admin'] as const;
export type ApiRole = (typeof API_ROLES)[number];

/** From a minute to ten years; so many keys that are not revoked. */
export const KEY_LIMITS = { minExpiresInS: 60, maxExpiresInS: 315_360_000, maxKeys: 1000 } as const;

export interface KeyCreate {
  readonly role: ApiRole;
  /** For people, and for the audit; need not be unique. 1 to 64 of A-Z a-z 0-9 . _ @ -; default: the id. */
  readonly name?: string;
  /** Seconds until it expires; null: never. */
  readonly expiresInS?: number | null;
}

export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly role: ApiRole;
  readonly createdAtMs: number;
  /** Null: never. */
  readonly expiresAtMs: number | null;
  /** To about ten minutes. Null: never. */
  readonly lastUsedAtMs: number | null;
  readonly state: 'valid' | 'expired' | 'revoked';
}

/** The only moment at which the key's secret is shown. */
export interface KeyCreated extends KeyView {
  readonly key: string;
}
