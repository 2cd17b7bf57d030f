/** `thalweg link list`. */
import type { Command } from 'commander';
import type { LinkView } from '../protocol/api.ts';
import { linkList } from './print/link-page.ts';
import type { CliSession } from './session.ts';

export function addLinkCommand(program: Command, session: CliSession): void {
  const link = program.command('link').description('the measured links between nodes');
  const list = link
    .command('list')
    .description('every directed link: health, RTT, loss, load, cost')
    .option('--from <node>', 'only links that this node measured')
    .option('--to <node>', 'only links towards this node');
  list.action(async (options: { from?: string; to?: string }) => {
    const global = session.read(list);
    const links = await session.client(global).get<LinkView[]>('/v1/links');
    const wanted = links.filter(
      (view) => (options.from ?? view.from) === view.from && (options.to ?? view.to) === view.to,
    );
    session.show(global, wanted, (value) => linkList(value, session.io.nowMs(), global.paint));
  });
}
