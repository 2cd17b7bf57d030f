/** `thalweg token create|list|revoke`. */
import type { Command } from 'commander';
import { TOKEN_LIMITS, type TokenCreate, type TokenCreated, type TokenView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { parseDuration } from './duration.ts';
import { tokenHint, tokenList } from './print/token-page.ts';
import type { CliSession } from './session.ts';

export function addTokenCommand(program: Command, session: CliSession): void {
  const token = program.command('token').description('tokens with which devices join');
  addCreate(token, session);
  const list = token.command('list').description('every token, without its secret');
  list.action(async () => {
    const global = session.read(list);
    const tokens = await session.client(global).get<TokenView[]>('/v1/tokens');
    session.show(global, tokens, (value) => tokenList(value, session.io.nowMs(), global.paint));
  });
  const revoke = token
    .command('revoke')
    .description('let nobody join with this token any more; nodes that did stay')
    .argument('<id>', 'id of the token, as `token list` shows it');
  revoke.action(async (id: string) => {
    const global = session.read(revoke);
    const answer = await session.client(global).delete<unknown>(`/v1/tokens/${encodeURIComponent(id)}`);
    session.show(
      global,
      answer,
      () => `Revoked ${id}: nobody can join with it any more. Nodes that did are still there.\n`,
    );
  });
}

function addCreate(token: Command, session: CliSession): void {
  const create = token
    .command('create')
    .description('make a token; it is printed once, alone on stdout')
    .option('--uses <n>', 'how many nodes may join with it (default: the core decides, 1)', parseUses)
    .option(
      '--expires <duration>',
      'how long it can be used, such as 30min, 24h or 7d (default: the core decides)',
      parseTokenDuration,
    )
    .option('--label <key=value>', 'label that nodes joining with it get; may be repeated', parseLabel);
  create.action(async (options: { uses?: number; expires?: number; label?: Record<string, string> }) => {
    const global = session.read(create);
    const body: TokenCreate = {
      ...(options.uses === undefined ? {} : { uses: options.uses }),
      ...(options.expires === undefined ? {} : { expiresInS: options.expires }),
      ...(options.label === undefined ? {} : { labels: options.label }),
    };
    const created = await session.client(global).post<TokenCreated>('/v1/tokens', body);
    session.show(global, created, (value) => `${value.token}\n`);
    if (!global.json) session.io.err(tokenHint(created, session.io.nowMs()));
  });
}

/** Whole number from 1. Throws invalid_argument. */
export function parseUses(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= TOKEN_LIMITS.maxUses) return Number(text);
  throw new ThalwegError('invalid_argument', `--uses ${text}: not a whole number from 1 to ${TOKEN_LIMITS.maxUses}`, {
    nextStep: 'pass how many nodes may join, e.g. --uses 10',
  });
}

/** `90s`, `30min`, `24h`, `7d` as seconds, within TOKEN_LIMITS. Throws invalid_argument. */
export function parseTokenDuration(text: string): number {
  return parseDuration(text, { leastS: TOKEN_LIMITS.minExpiresInS, mostS: TOKEN_LIMITS.maxExpiresInS });
}

/** Adds `key=value` to the labels before it. Throws invalid_argument. */
export function parseLabel(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const split = text.indexOf('=');
  if (split > 0) return { ...previous, [text.slice(0, split)]: text.slice(split + 1) };
  throw new ThalwegError('invalid_argument', `--label ${text}: not key=value`, {
    nextStep: 'write --label site=berlin',
  });
}
