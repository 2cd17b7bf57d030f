/**
 * The schema as forward steps. A database carries its version in `user_version`; each step runs in one transaction
 * with the new version number. Steps are never edited once released; a change is a new step at the end.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE engine_state (id INTEGER PRIMARY KEY CHECK (id = 1), state BLOB NOT NULL) STRICT;
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    labels TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    uses INTEGER NOT NULL CHECK (uses > 0),
    used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= uses),
    revoked_at_ms INTEGER
  ) STRICT;
  CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    node_index INTEGER NOT NULL UNIQUE CHECK (node_index > 0),
    name TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL UNIQUE,
    tls_key_hash TEXT NOT NULL,
    labels TEXT NOT NULL,
    token_id TEXT NOT NULL REFERENCES tokens (id),
    joined_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER NOT NULL,
    serial TEXT NOT NULL,
    previous_serial TEXT,
    certificate_expires_at_ms INTEGER NOT NULL,
    host TEXT
  ) STRICT;
  CREATE TABLE removed_nodes (
    id TEXT PRIMARY KEY,
    node_index INTEGER NOT NULL,
    name TEXT NOT NULL,
    removed_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX removed_nodes_by_time ON removed_nodes (removed_at_ms);
  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    node_id TEXT,
    name TEXT,
    token_id TEXT
  ) STRICT;
  `,
  `
  CREATE TABLE engine_records (seq INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
  `,
  `
  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER,
    last_used_at_ms INTEGER
  ) STRICT;
  ALTER TABLE audit ADD COLUMN key_id TEXT;
  ALTER TABLE audit ADD COLUMN actor TEXT;
  `,
  `
  ALTER TABLE audit ADD COLUMN detail TEXT;
  `,
];
