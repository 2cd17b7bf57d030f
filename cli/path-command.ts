/** `thalweg path A B`: why traffic takes the path it takes. `thalweg path`: every pair. */
import type { Command } from 'commander';
import type { PathExplanation, PathView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { pathList, pathPage } from './print/path-page.ts';
import type { CliSession } from './session.ts';

export function addPathCommand(program: Command, session: CliSession): void {
  const command = program
    .command('path')
    .description('the path from A to B: each cost term, the runner-up and why it lost; without names every pair')
    .argument('[from]', 'name of the node that sends')
    .argument('[to]', 'name of the node that receives');
  command.action(async (from: string | undefined, to: string | undefined) => {
    const global = session.read(command);
    const client = session.client(global);
    if (from === undefined) {
      const paths = await client.get<PathView[]>('/v1/paths');
      session.show(global, paths, (value) => pathList(value, session.io.nowMs(), global.paint));
      return;
    }
    if (to === undefined || to === from) {
      throw new ThalwegError(
        'invalid_argument',
        to === undefined ? `path ${from} where?` : `${from} to itself is no path`,
        {
          nextStep: 'name two nodes: thalweg path FROM TO',
        },
      );
    }
    const url = `/v1/paths/${encodeURIComponent(from)}/${encodeURIComponent(to)}`;
    const path = await client.get<PathExplanation>(url);
    session.show(global, path, (value) => pathPage(value, session.io.nowMs(), global.paint));
  });
}
