/** The audit on screen: times are absolute, because they are compared with those of other logs. */
import type { AuditView } from '../../protocol/api.ts';
import { MISSING } from './quantity.ts';
import { plain, table } from './table.ts';

export function auditPage(entries: readonly AuditView[]): string {
  if (entries.length === 0) return 'Nothing was changed yet.\n';
  const columns = ['AT', 'WHAT', 'OF', 'BY'].map((title) => ({ title }));
  const rows = entries.map((entry) => [
    new Date(entry.atMs).toISOString(),
    entry.kind.replaceAll('_', ' '),
    plain(subject(entry)),
    plain(entry.by ?? MISSING),
  ]);
  return table(columns, rows);
}

function subject({ kind, name, nodeId, tokenId, keyId }: AuditView): string {
  if (keyId !== null) return name === keyId || name === null ? keyId : `${name} (${keyId})`;
  if (kind === 'token_created' || kind === 'token_revoked') return tokenId ?? MISSING;
  return name ?? nodeId ?? MISSING;
}
