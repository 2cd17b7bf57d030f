/** `thalweg plan FILE`: what load-aware steering would do for a topology and its demands, without a network. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import { planPage } from './print/plan-page.ts';
import type { CliSession } from './session.ts';

/** A full matrix of the most nodes that can be planned is below this. */
const MOST_FILE_BYTES = 256 * 1024 * 1024;

interface PlanFlags {
  readonly demands?: string;
  readonly members?: string;
  readonly stretch?: boolean;
  readonly worst?: string;
}

export function addPlanCommand(program: Command, session: CliSession): void {
  const command = program
    .command('plan')
    .description(
      'plan routes for a topology and its demands from files: utilisation before and after, and at 2x demand',
    )
    .argument('<file>', 'topology in the format of REPETITA: NAME.graph')
    .option(
      '--demands <file>',
      'demands, .gz or not (default: the one NAME*.demands or .demands.gz beside the topology)',
    )
    .option('--members <count>', 'most next hops of a route, 1 to 8 (default: 4)')
    .option('--no-stretch', 'let paths get as long as it takes; without it 1.5x the shortest RTT + 20 ms')
    .option('--worst <count>', 'how many links are listed, 0 to 1000 (default: 10)');
  command.action(async (file: string, flags: PlanFlags) => {
    const global = session.read(command);
    const { readRepetitaDemands, readRepetitaGraph } = await import(
      '../steering/traffic-engineering/repetita-graph.ts'
    );
    const { repetitaNetwork } = await import('../steering/traffic-engineering/repetita-network.ts');
    const { planReport } = await import('../steering/traffic-engineering/plan-report.ts');
    const graph = readRepetitaGraph(readText(file), basename(file));
    const demandFile = flags.demands ?? demandsBeside(file);
    const demand = readRepetitaDemands(readText(demandFile), basename(demandFile), graph.labels.length);
    const members = flags.members === undefined ? {} : { members: whole('--members', flags.members, 1, 8) };
    const report = planReport(repetitaNetwork(graph), demand, graph.labels, {
      options: { ...members, ...(flags.stretch === false ? { stretch: null } : {}) },
      worst: flags.worst === undefined ? 10 : whole('--worst', flags.worst, 0, 1000),
    });
    session.show(global, report, planPage);
  });
}

/** The only demand file that has the topology's name. */
function demandsBeside(file: string): string {
  const folder = dirname(file);
  const name = basename(file).replace(/\.graph$/, '');
  const beside = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((each) => each.startsWith(`${name}.`) && /\.demands(\.gz)?$/.test(each))
    .toSorted();
  const [only] = beside;
  if (only !== undefined && beside.length === 1) return join(folder, only);
  throw new ThalwegError(
    'invalid_argument',
    beside.length === 0 ? `no demands lie beside ${file}` : `${beside.length} demand files lie beside ${file}`,
    {
      nextStep: beside.length === 0 ? 'name them: --demands FILE' : `choose one: --demands ${join(folder, only ?? '')}`,
    },
  );
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ThalwegError('not_found', `${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (!file.endsWith('.gz')) return bytes.toString('utf8');
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_FILE_BYTES }).toString('utf8');
  } catch (error) {
    throw new ThalwegError('invalid_argument', `${file} is not whole gzip: ${(error as Error).message}`, {
      cause: error,
      nextStep: 'make the file again, or give it without .gz',
    });
  }
}

function whole(flag: string, word: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(word) ? Number(word) : -1;
  if (value >= least && value <= most) return value;
  throw new ThalwegError('invalid_argument', `${flag} ${word} is not a whole number from ${least} to ${most}`, {
    nextStep: `give ${flag} a whole number from ${least} to ${most}`,
  });
}
