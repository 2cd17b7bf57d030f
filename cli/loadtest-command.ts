/** `thalweg loadtest`: simulated agents against a core of its own on this machine. */
import type { Command } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import { loadtestPage } from './print/loadtest-page.ts';
import type { CliSession } from './session.ts';

/** One core process may hold this many descriptors where the system's default limit stands. */
const MAX_AGENTS = 19_000;

interface Given {
  readonly agents: string;
  readonly transit: string;
  readonly processes: string;
  readonly duration: string;
  readonly reportInterval: string;
  readonly heartbeat: string;
  readonly changes: string;
  readonly kill: boolean;
  readonly cores: string;
  readonly nats: string;
  readonly limit: string;
}

export function addLoadtestCommand(program: Command, session: CliSession): void {
  const command = program
    .command('loadtest')
    .description('measure a core under simulated agents; starts both on loopback and ends them')
    .option('--agents <n>', 'simulated agents, transit nodes included', '500')
    .option('--transit <n>', 'how many of them forward for others; the rest are leaves', '16')
    .option('--processes <n>', 'processes that the agents run in', '2')
    .option('--duration <s>', 'seconds of steady state that are measured; 0: none', '30')
    .option('--report-interval <ms>', "time between an agent's reports of all its links", '10000')
    .option('--heartbeat <ms>', 'time between heartbeats', '5000')
    .option('--changes <n>', 'links that change, of each kind; 0: none', '10')
    .option('--no-kill', 'do not kill the core at the end to see all agents come back')
    .option('--cores <n>', 'cores; more than one: on NATS, one steers, and the agents are with the others', '1')
    .option('--nats <n>', 'NATS servers, with more than one core', '1')
    .option('--limit <s>', 'the run fails when it takes longer', '900');
  command.action(async (given: Given) => {
    const global = session.read(command);
    const transit = whole('--transit', given.transit, 2, 256);
    const options = {
      transit,
      agents: whole('--agents', given.agents, transit, MAX_AGENTS),
      processes: whole('--processes', given.processes, 1, 16),
      durationS: whole('--duration', given.duration, 0, 3600),
      reportIntervalMs: whole('--report-interval', given.reportInterval, 200, 60_000),
      heartbeatMs: whole('--heartbeat', given.heartbeat, 1000, 60_000),
      changes: whole('--changes', given.changes, 0, 1000),
      kill: given.kill,
      cores: whole('--cores', given.cores, 1, 9),
      natsServers: whole('--nats', given.nats, 1, 5),
      limitS: whole('--limit', given.limit, 10, 7200),
    };
    const { loadTest } = await import('../netlab/loadtest/load-run.ts');
    const onProgress = (text: string) => session.io.err(`${text}\n`);
    const interrupted = session.io.untilSignal().then((signal): never => {
      throw new ThalwegError('command_failed', `the load test was ended by ${signal}`);
    });
    const result = await loadTest({ ...options, ...(global.json ? {} : { onProgress }) }, interrupted);
    session.show(global, result, loadtestPage);
  });
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= least && value <= most) return value;
  throw new ThalwegError('invalid_argument', `${flag} ${text} is not a whole number from ${least} to ${most}`, {
    nextStep: 'see `thalweg loadtest --help`',
  });
}
