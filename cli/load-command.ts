/** `thalweg load`: what load-aware steering does now. `thalweg load on`, `thalweg load off`: switches it. */
import { Argument, type Command } from 'commander';
import type { LoadView } from '../protocol/api.ts';
import { percent } from './print/quantity.ts';
import type { CliSession } from './session.ts';

export function addLoadCommand(program: Command, session: CliSession): void {
  const command = program
    .command('load')
    .description('how full the mesh is and what steering does about it; on or off: whether it does')
    .addArgument(new Argument('[switch]', 'on or off, until the core starts anew').choices(['on', 'off']));
  command.action(async (to: string | undefined) => {
    const global = session.read(command);
    const client = session.client(global);
    const view =
      to === undefined
        ? await client.get<LoadView>('/v1/load')
        : await client.post<LoadView>('/v1/load', { aware: to === 'on' });
    session.show(global, view, loadPage);
  });
}

function loadPage(view: LoadView): string {
  if (!view.aware) return 'Load is not looked at: every path is the best by latency. To change that: thalweg load on\n';
  if (view.highestUtilisation === null) return 'Load is looked at; nothing was decided yet.\n';
  const bound =
    view.lowerBound === null || view.lowerBound === 0 ? '' : `, ${percent(view.lowerBound)} is the least possible`;
  const state =
    view.state === 'calm' ? 'Calm: every path is the best by latency.' : 'Traffic is spread over several paths.';
  return (
    `${state}\n` +
    `fullest link or access: ${percent(view.highestUtilisation)} (by latency alone ${percent(view.latencyUtilisation)}${bound})\n` +
    `changes of routes for load since the core started: ${view.changes}\n`
  );
}
