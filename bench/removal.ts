/**
 * From the command that removes a node to the last packet that anybody accepts from it. The removed node is a thief's: its
 * agent is dead, its kernel goes on with every key, address and route that it ever had, and sends to each other node all
 * the while. Every flow sends 200 packets/s, so a figure is some 5 ms too small at most.
 */
import { spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { FlowRun } from '../netlab/scenario/flow-run.ts';
import type { PathView } from '../protocol/api.ts';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { programFile } from '../protocol/program-file.ts';
import { type BenchLab, withBenchLab } from './bench-lab.ts';
import { quantile } from './quantile.ts';
import { type Values, whole } from './values.ts';

export const REMOVAL_KEYS = ['count'];

const REMOVED = 'x';
const OTHERS = ['a', 'b', 'c'];
const RATE = 200;
const BEFORE_MS = 2000;
/** Three times what is aimed at. */
const AFTER_MS = 3000;
const READY_MS = 60_000;

interface Repetition {
  /** Until the command had its answer and ended. */
  readonly commandMs: number;
  /** To the last packet that was accepted by any node. Negative: none was after the command. */
  readonly lastPacketMs: number;
  readonly perNodeMs: Readonly<Record<string, number>>;
  /** Packets of the removed node that were sent after that, and accepted by nobody. */
  readonly refused: number;
}

export async function benchRemoval(values: Values) {
  const count = whole(values, 'count', { otherwise: 5, most: 100 });
  return withBenchLab([...OTHERS, REMOVED], async (bench) => {
    const repetitions: Repetition[] = [];
    for (let i = 0; i < count; i++) {
      if (i > 0) await joinAgain(bench);
      repetitions.push(await once(bench));
      process.stderr.write(`${JSON.stringify(repetitions[i])}\n`);
    }
    const last = repetitions.map(({ lastPacketMs }) => lastPacketMs);
    const command = repetitions.map(({ commandMs }) => commandMs);
    return {
      count,
      lastPacketMs: { p50: quantile(last, 0.5), worst: quantile(last, 1) },
      commandMs: { p50: quantile(command, 0.5), worst: quantile(command, 1) },
      repetitions,
    };
  });
}

async function once({ lab, node }: BenchLab): Promise<Repetition> {
  const flows = OTHERS.map((to, number) => {
    const flow = { name: to, from: REMOVED, to, packetsPerSecond: RATE, sizeBytes: 100, family: 4 as const };
    return new FlowRun({ lab, clock: systemClock }, { ...flow, fromMs: 0, toMs: 60_000 }, number);
  });
  try {
    await Promise.all(flows.map((flow) => flow.startSink()));
    const addresses = await Promise.all(OTHERS.map(async (name) => (await node(name)).node4));
    await lab.stopAgent(REMOVED, 'SIGKILL');
    const startNs = process.hrtime.bigint() + 1_000_000_000n;
    for (const [i, flow] of flows.entries()) flow.startSource(addresses[i] ?? '', startNs);
    await pause(1000 + BEFORE_MS);
    const askedNs = process.hrtime.bigint();
    await run('node', 'remove', REMOVED, '--core', lab.apiTarget);
    const commandMs = Number(process.hrtime.bigint() - askedNs) / 1e6;
    await pause(AFTER_MS);
    await Promise.all(flows.map((flow) => flow.finish()));
    const perNodeMs: Record<string, number> = {};
    let refused = 0;
    for (const { flow, reports, problem } of flows) {
      if (reports === undefined || problem !== null) throw new ThalwegError('internal', `a flow failed: ${problem}`);
      const { sink, source } = reports;
      if (sink.lastAtMonoNs === null) throw new ThalwegError('internal', `${flow.to} never heard ${REMOVED}`);
      perNodeMs[flow.to] = Math.round(Number(BigInt(sink.lastAtMonoNs) - askedNs) / 1e6);
      refused += source.sent - sink.highestSequence - 1;
    }
    return {
      commandMs: Math.round(commandMs),
      lastPacketMs: Math.max(...Object.values(perNodeMs)),
      perNodeMs,
      refused,
    };
  } finally {
    await Promise.all(flows.map((flow) => flow.abandon()));
  }
}

/** The same host, with a new token, as a new node. */
async function joinAgain({ lab, api }: BenchLab): Promise<void> {
  const argv = [process.execPath, programFile('cli/main'), 'agent', 'down', '--forget'];
  const forgotten = await lab.exec(REMOVED, [...argv, '--state-dir', `${lab.hostDir(REMOVED)}/state`]);
  if (forgotten.exitCode !== 0) throw new ThalwegError('command_failed', `agent down: ${forgotten.stderr}`);
  await lab.join(REMOVED);
  await lab.startAgent(REMOVED);
  const pairs = OTHERS.length * (OTHERS.length + 1);
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const paths = await api.get<PathView[]>('/v1/paths');
    if (paths.length === pairs && paths.every(({ installed, cost }) => installed && cost !== null)) return;
    if (performance.now() > deadlineMs) throw new ThalwegError('timeout', 'the node that joined again is not steered');
    await pause(200);
  }
}

/** Runs the CLI as an operator does: its start is part of what he waits for. */
function run(...argv: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [programFile('cli/main'), ...argv], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new ThalwegError('command_failed', `thalweg ${argv.join(' ')} ended with ${code}`));
    });
  });
}
