/** `thalweg demand`: who sends how much to whom, and how full the accesses are. */
import type { Command } from 'commander';
import type { DemandView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { demandPage } from './print/demand-page.ts';
import type { CliSession } from './session.ts';

const DEFAULT_LIMIT = 25;

export function addDemandCommand(program: Command, session: CliSession): void {
  const command = program
    .command('demand')
    .description('who sends how much to whom, largest first, and how full the accesses of nodes are')
    .option('--from <node>', 'only what this node sends')
    .option('--to <node>', 'only what is sent to this node')
    .option('--limit <n>', `pairs to show (default: ${DEFAULT_LIMIT}, with --json all)`);
  command.action(async (options: { from?: string; to?: string; limit?: string }) => {
    const global = session.read(command);
    const limit = readLimit(options.limit) ?? (global.json ? Number.POSITIVE_INFINITY : DEFAULT_LIMIT);
    const view = await session.client(global).get<DemandView>('/v1/demand?limit=999999');
    const { from, to } = options;
    const pairs = view.pairs.filter((pair) => (from ?? pair.from) === pair.from && (to ?? pair.to) === pair.to);
    session.show(global, { ...view, pairs: pairs.slice(0, limit) }, (value) => demandPage(value, pairs.length));
  });
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new ThalwegError('invalid_argument', `--limit ${text} is not a whole number from 1 to 999999`, {
    nextStep: 'pass for example --limit 100',
  });
}
