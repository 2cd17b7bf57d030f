/** `thalweg audit`: who changed what. */
import type { Command } from 'commander';
import type { AuditView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { auditPage } from './print/audit-page.ts';
import type { CliSession } from './session.ts';

export function addAuditCommand(program: Command, session: CliSession): void {
  const command = program
    .command('audit')
    .description('who changed what, newest first')
    .option('--limit <n>', 'how many entries at most, up to 99999', parseLimit, 100);
  command.action(async ({ limit }: { limit: number }) => {
    const global = session.read(command);
    const entries = await session.client(global).get<AuditView[]>(`/v1/audit?limit=${limit}`);
    session.show(global, entries, auditPage);
  });
}

/** Whole number from 1. Throws invalid_argument. */
function parseLimit(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new ThalwegError('invalid_argument', `--limit ${text}: not a whole number from 1 to 99999`, {
    nextStep: 'pass how many entries to show, e.g. --limit 20',
  });
}
