/** Join tokens on screen. The token itself is shown once, alone on its line, so that it can be copied and piped. */
import type { TokenCreated, TokenView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { MISSING, relative } from './quantity.ts';
import { plain, table } from './table.ts';

export function tokenList(tokens: readonly TokenView[], nowMs: number, paint: Paint): string {
  if (tokens.length === 0) return 'No tokens. Create one: thalweg token create\n';
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'USED', align: 'right' as const },
    { title: 'EXPIRES' },
    { title: 'CREATED' },
    { title: 'LABELS' },
  ];
  const rows = tokens.map((token) => [
    token.id,
    token.state === 'valid' ? paint.good(token.state) : paint.faint(token.state.replace('_', ' ')),
    `${token.used}/${token.uses}`,
    relative(token.expiresAtMs, nowMs),
    relative(token.createdAtMs, nowMs),
    Object.entries(token.labels)
      .map(([key, value]) => plain(`${key}=${value}`))
      .join(',') || MISSING,
  ]);
  return table(columns, rows);
}

/** What goes to stderr beside the token. */
export function tokenHint(token: TokenCreated, nowMs: number): string {
  const uses = token.uses === 1 ? 'one node' : `${token.uses} nodes`;
  return `Token ${token.id} for ${uses}, expires ${relative(token.expiresAtMs, nowMs)}. It is shown only now.\nOn the device: thalweg join TOKEN, then thalweg agent\n`;
}
