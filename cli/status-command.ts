/** `thalweg status`: the mesh at a glance. */
import type { Command } from 'commander';
import type { StatusView } from '../protocol/api.ts';
import { statusPage } from './print/status-page.ts';
import type { CliSession } from './session.ts';

export function addStatusCommand(program: Command, session: CliSession): void {
  const command = program.command('status').description('the mesh at a glance');
  command.action(async () => {
    const global = session.read(command);
    const status = await session.client(global).get<StatusView>('/v1/status');
    session.show(global, status, (value) => statusPage(value, session.io.nowMs(), global.paint));
  });
}
