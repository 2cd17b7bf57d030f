/** `thalweg key create|list|revoke`. */
import { type Command, Option } from 'commander';
import { API_ROLES, type ApiRole, KEY_LIMITS, type KeyCreate, type KeyCreated, type KeyView } from '../protocol/api.ts';
import { parseDuration } from './duration.ts';
import { keyHint, keyList } from './print/key-page.ts';
import type { CliSession } from './session.ts';

export function addKeyCommand(program: Command, session: CliSession): void {
  const key = program.command('key').description('API keys, with which the API may be used from elsewhere');
  addCreate(key, session);
  const list = key.command('list').description('every API key, without its secret');
  list.action(async () => {
    const global = session.read(list);
    const keys = await session.client(global).get<KeyView[]>('/v1/keys');
    session.show(global, keys, (value) => keyList(value, session.io.nowMs(), global.paint));
  });
  const revoke = key
    .command('revoke')
    .description('take no request with this API key any more, from now on')
    .argument('<id>', 'id of the key, as `key list` shows it');
  revoke.action(async (id: string) => {
    const global = session.read(revoke);
    const answer = await session.client(global).delete<unknown>(`/v1/keys/${encodeURIComponent(id)}`);
    session.show(global, answer, () => `Revoked ${id}: no request is taken with it any more.\n`);
  });
}

interface CreateOptions {
  readonly role: ApiRole;
  readonly name?: string;
  readonly expires?: number | 'never';
}

function addCreate(key: Command, session: CliSession): void {
  const create = key
    .command('create')
    .description('make an API key; it is printed once, alone on stdout')
    .addOption(
      new Option('--role <role>', 'viewer: look; operator: also drain, tokens, load; admin: everything')
        .choices(API_ROLES)
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'whose it is: shown in lists and in the audit (default: its id)')
    .option(
      '--expires <duration>',
      'how long it can be used, such as 12h or 90d, or never (default: the core decides, 365d)',
      parseExpiry,
    );
  create.action(async ({ role, name, expires }: CreateOptions) => {
    const global = session.read(create);
    const body: KeyCreate = {
      role,
      ...(name === undefined ? {} : { name }),
      ...(expires === undefined ? {} : { expiresInS: expires === 'never' ? null : expires }),
    };
    const created = await session.client(global).post<KeyCreated>('/v1/keys', body);
    session.show(global, created, (value) => `${value.key}\n`);
    if (!global.json) session.io.err(keyHint(created, session.io.nowMs()));
  });
}

/** Seconds, or never. Throws invalid_argument. */
function parseExpiry(text: string): number | 'never' {
  if (text === 'never') return text;
  return parseDuration(text, { leastS: KEY_LIMITS.minExpiresInS, mostS: KEY_LIMITS.maxExpiresInS });
}
