/**
 * What abuse of a core's ports costs its users: joins, the API and a session are watched without an attack, then under each
 * one, with the core's memory. `npm run -s bench -- abuse --connections 10000 --json`. The attacker, the users and the core
 * share the machine's CPUs, so that what the attacker's own work takes is in the figures.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { LoadDoor } from '../../netlab/loadtest/load-door.ts';
import { OwnCore } from '../../netlab/loadtest/own-core.ts';
import type { StatusView, TokenCreated } from '../../protocol/api.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { programFile } from '../../protocol/program-file.ts';
import { type Values, whole } from '../values.ts';
import { ATTACKS, type AttackTally } from './attack.ts';
import { HEARTBEAT_MS, ServiceWatch } from './service-watch.ts';

export const ABUSE_KEYS = ['attack', 'connections', 'addresses', 'seconds', 'api-port'];

/** Half the descriptors that a process may have on such machines. */
const DEFAULT_CONNECTIONS = 10_000;
/** Between attacks: what was begun has ended. */
const REST_MS = 3000;
/** What pours data needs no crowd to be heard. */
const FEW: Readonly<Record<string, number>> = {
  'endless-body': 50,
  'garbage-in-tls': 50,
  'old-tls': 100,
  garbage: 200,
};

export async function benchAbuse(values: Values) {
  const connections = whole(values, 'connections', { otherwise: DEFAULT_CONNECTIONS, most: 18_000 });
  const addresses = whole(values, 'addresses', { otherwise: 20, most: 10_000 });
  const seconds = whole(values, 'seconds', { otherwise: 10, least: 2, most: 600 });
  const apiPort = whole(values, 'api-port', { otherwise: 18_471, least: 1024, most: 65_535 });
  const names = values.attack?.split(',') ?? Object.keys(ATTACKS);
  const unknown = names.filter((name) => ATTACKS[name] === undefined);
  if (unknown.length > 0) {
    throw new ThalwegError('invalid_argument', `--attack ${unknown.join()} is not known`, {
      nextStep: `name some of: ${Object.keys(ATTACKS).join(',')}`,
    });
  }
  const core = new OwnCore({ engine: 'fleet', heartbeatMs: HEARTBEAT_MS, api: `127.0.0.1:${apiPort}` });
  let watch: ServiceWatch | undefined;
  try {
    await core.start();
    const { token } = await core.api.post<TokenCreated>('/v1/tokens', { uses: 100_000 });
    const door = await LoadDoor.make(token);
    watch = new ServiceWatch(door, core.api);
    await watch.begin();
    const mebibytes = () => Math.round(core.usage().residentBytes / 2 ** 20);
    const quiet = { ...(await watch.watch(seconds * 1000)), memoryMiB: mebibytes() };
    const attacks: Record<string, unknown> = {};
    for (const name of names) {
      const target = {
        agentPort: door.port,
        apiPort,
        connections: Math.min(connections, FEW[name] ?? connections),
        addresses,
      };
      const attacker = startAttacker(name, target);
      let mostMiB = 0;
      const cpuBeforeMs = core.usage().cpuMs;
      const begunMs = performance.now();
      const memory = setInterval(() => {
        mostMiB = Math.max(mostMiB, mebibytes());
      }, 100);
      const service = await watch.watch(seconds * 1000);
      clearInterval(memory);
      const cpu = (core.usage().cpuMs - cpuBeforeMs) / (performance.now() - begunMs);
      const tally = await attacker.stop();
      await pause(REST_MS);
      const { nodes } = await core.api.get<StatusView>('/v1/status');
      attacks[name] = {
        connections: target.connections,
        service,
        attacker: tally,
        mostMemoryMiB: mostMiB,
        memoryAfterMiB: mebibytes(),
        coreCpus: Math.round(cpu * 100) / 100,
        nodesOnline: nodes.online,
      };
      process.stderr.write(`${JSON.stringify({ [name]: attacks[name] })}\n`);
    }
    return { connections, addresses, seconds, quiet, attacks };
  } finally {
    watch?.end();
    await core.stop();
  }
}

function startAttacker(name: string, target: object): { stop(): Promise<AttackTally> } {
  const argv = [programFile('bench/abuse/attacker-program'), name, JSON.stringify(target)];
  const child: ChildProcess = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk.toString('utf8')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    stop: async () => {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await ended;
      clearTimeout(killer);
      if (chunks.length === 0) throw new ThalwegError('internal', `the attacker of ${name} left no tally`);
      return JSON.parse(chunks.join('')) as AttackTally;
    },
  };
}
