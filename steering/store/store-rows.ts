/** Rows of the database <-> records of the store. */
import type { NodeId, NodeIndex, NodeName, PublicKey } from '../../protocol/identifier.ts';
import type { AuditEntry, KeyRecord, Labels, NodeHost, NodeRecord, TokenRecord } from './store.ts';

export type Row = Readonly<Record<string, unknown>>;

export function tokenFromRow(row: Row): TokenRecord {
  return {
    id: String(row['id']),
    secretHash: row['secret_hash'] as Uint8Array,
    labels: JSON.parse(String(row['labels'])) as Labels,
    createdAtMs: Number(row['created_at_ms']),
    expiresAtMs: Number(row['expires_at_ms']),
    uses: Number(row['uses']),
    used: Number(row['used']),
    revokedAtMs: row['revoked_at_ms'] === null ? null : Number(row['revoked_at_ms']),
  };
}

export function keyFromRow(row: Row): KeyRecord {
  return {
    id: String(row['id']),
    name: String(row['name']),
    role: String(row['role']) as KeyRecord['role'],
    secretHash: row['secret_hash'] as Uint8Array,
    createdAtMs: Number(row['created_at_ms']),
    expiresAtMs: numberOrNull(row['expires_at_ms']),
    revokedAtMs: numberOrNull(row['revoked_at_ms']),
    lastUsedAtMs: numberOrNull(row['last_used_at_ms']),
  };
}

export function auditFromRow(row: Row): AuditEntry {
  return {
    atMs: Number(row['at_ms']),
    kind: String(row['kind']) as AuditEntry['kind'],
    nodeId: textOrNull(row['node_id']),
    name: textOrNull(row['name']),
    tokenId: textOrNull(row['token_id']),
    keyId: textOrNull(row['key_id']),
    by: textOrNull(row['actor']),
    ...(row['detail'] === null ? {} : { detail: String(row['detail']) }),
  };
}

/** The brands hold: only parsed values were ever written. */
export function nodeFromRow(row: Row): NodeRecord {
  return {
    id: String(row['id']) as NodeId,
    index: Number(row['node_index']) as NodeIndex,
    name: String(row['name']) as NodeName,
    publicKey: String(row['public_key']) as PublicKey,
    tlsKeyHash: String(row['tls_key_hash']),
    labels: JSON.parse(String(row['labels'])) as Labels,
    tokenId: String(row['token_id']),
    joinedAtMs: Number(row['joined_at_ms']),
    lastSeenAtMs: Number(row['last_seen_at_ms']),
    serial: String(row['serial']),
    previousSerial: row['previous_serial'] === null ? null : String(row['previous_serial']),
    certificateExpiresAtMs: Number(row['certificate_expires_at_ms']),
    host: row['host'] === null ? null : (JSON.parse(String(row['host'])) as NodeHost),
  };
}

/** In the order of the table's columns. */
export function nodeParameters(node: NodeRecord): readonly (string | number | null)[] {
  return [
    node.id,
    node.index,
    node.name,
    node.publicKey,
    node.tlsKeyHash,
    JSON.stringify(node.labels),
    node.tokenId,
    node.joinedAtMs,
    node.lastSeenAtMs,
    node.serial,
    node.previousSerial,
    node.certificateExpiresAtMs,
    node.host === null ? null : JSON.stringify(node.host),
  ];
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : String(value);
}
