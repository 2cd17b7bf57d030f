/** API keys on screen. The key itself is shown once, alone on its line, so that it can be put into a file. */
import type { KeyCreated, KeyView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { relative } from './quantity.ts';
import { plain, table } from './table.ts';

export function keyList(keys: readonly KeyView[], nowMs: number, paint: Paint): string {
  if (keys.length === 0) return 'No API keys. Create one: thalweg key create --role viewer\n';
  const columns = ['ID', 'NAME', 'ROLE', 'STATE', 'EXPIRES', 'LAST USED', 'CREATED'].map((title) => ({ title }));
  const rows = keys.map((key) => [
    key.id,
    plain(key.name),
    key.role,
    key.state === 'valid' ? paint.good(key.state) : paint.faint(key.state),
    key.expiresAtMs === null ? 'never' : relative(key.expiresAtMs, nowMs),
    key.lastUsedAtMs === null ? 'never' : relative(key.lastUsedAtMs, nowMs),
    relative(key.createdAtMs, nowMs),
  ]);
  return table(columns, rows);
}

/** What goes to stderr beside the key. */
export function keyHint(key: KeyCreated, nowMs: number): string {
  const expires = key.expiresAtMs === null ? 'never expires' : `expires ${relative(key.expiresAtMs, nowMs)}`;
  return `API key ${key.id} (${plain(key.name)}), role ${key.role}, ${expires}. It is shown only now.\nTo use it: put it into a file of mode 0600 and name that with --api-key-file or THALWEG_API_KEY_FILE\n`;
}
