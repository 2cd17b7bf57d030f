/** Starts, watches and stops the real core and agents on a lab's hosts. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenCreated } from '../protocol/api.ts';
import { ApiClient } from '../protocol/api-client.ts';
import { ThalwegError } from '../protocol/error.ts';
import { hostEnvironment } from './host-environment.ts';
import { underlayAddressOf } from './host-plan.ts';
import type { LabRecord } from './lab-record.ts';
import { labApiTarget } from './lab-removal.ts';
import { CORE_HOST, type ProgramOverrides } from './lab-spec.ts';
import { execMachine } from './machine-command.ts';
import { pause } from './pause.ts';
import { signalProcess, waitForEnd } from './process-record.ts';
import { startProgram } from './started-program.ts';

const AGENT_PORT = 8470;
/** A core that reads its store, or an agent that makes its devices, beside eleven others on two slow CPUs. */
const START_DEADLINE_MS = 30_000;
const POLL_MS = 50;
/** A program that was asked to end gets this long before it is killed. */
const STOP_DEADLINE_MS = 15_000;
/** Of one join; the token lives as long. */
const JOIN_DEADLINE_MS = 60_000;
/** The interface that an agent makes first; see overlay-state.ts. */
const TUNNEL_INTERFACE = 'tw0';

export interface LabProgramsDeps {
  readonly record: LabRecord;
  readonly hostDir: (host: string) => string;
  /** The argv that runs a program on a host. */
  readonly onHost: (host: string, argv: readonly string[]) => string[];
}

export class LabPrograms {
  readonly #deps: LabProgramsDeps;
  readonly #api: ApiClient;

  constructor(deps: LabProgramsDeps) {
    this.#deps = deps;
    this.#api = new ApiClient(labApiTarget(deps.record.state.name));
  }

  /** Resolves when the core answers on its API socket. Idempotent. */
  async startCore(): Promise<void> {
    const { record, hostDir } = this.#deps;
    if (record.runningProcess('core', CORE_HOST) !== undefined) return;
    const dir = hostDir(CORE_HOST);
    const address = underlayAddressOf(record.numberOf(CORE_HOST) ?? 0);
    const socketPath = labApiTarget(record.state.name).slice('unix:'.length);
    rmSync(socketPath, { force: true }); // what a killed core left would look like one that starts
    const config = {
      stateDir: join(dir, 'state'),
      listen: `0.0.0.0:${AGENT_PORT}`,
      advertise: [`${address}:${AGENT_PORT}`],
      apiSocket: socketPath,
      ...record.state.core,
    };
    await this.#start('core', CORE_HOST, config, async () => {
      if (!existsSync(socketPath)) return false;
      return this.#api.get('/v1/status').then(
        () => true,
        () => false,
      );
    });
  }

  /** Resolves when the agent has made its tunnel interface; it needs no core for that. Idempotent. */
  async startAgent(host: string): Promise<void> {
    const { record } = this.#deps;
    if (record.runningProcess('agent', host) !== undefined) return;
    const transit = record.state.hosts.find((h) => h.name === host)?.transit ?? true;
    const config = { stateDir: this.stateDir(host), transit, ...record.state.agent };
    if (!this.hasJoined(host)) {
      throw new ThalwegError('not_joined', `host ${host} has not joined the mesh`, { nextStep: 'join it first' });
    }
    await this.#start('agent', host, config, async (pid) => hasInterface(pid, TUNNEL_INTERFACE));
  }

  /** Makes a token at the core and joins with it, the token on standard input. Throws what `thalweg join` said. */
  async join(host: string): Promise<void> {
    const { token } = await this.#api.post<TokenCreated>('/v1/tokens', {
      uses: 1,
      expiresInS: JOIN_DEADLINE_MS / 1000,
    });
    const argv = this.#program('join', '-', '--name', host, '--state-dir', this.stateDir(host));
    const result = await execMachine(this.#deps.onHost(host, argv), { stdin: token, timeoutMs: JOIN_DEADLINE_MS });
    if (result.exitCode === 0) return;
    throw new ThalwegError('command_failed', `host ${host} could not join: ${`${result.stderr}`.trim().slice(-1500)}`, {
      fields: { host, exitCode: result.exitCode },
      nextStep: `look at the core's log: ${join(this.#deps.hostDir(CORE_HOST), 'core.log')}`,
    });
  }

  hasJoined(host: string): boolean {
    return existsSync(join(this.stateDir(host), 'identity.json'));
  }

  stateDir(host: string): string {
    return join(this.#deps.hostDir(host), 'state');
  }

  /** Resolves when the process is gone; after a while it is killed. Idempotent. */
  async stop(role: 'core' | 'agent', host: string, signal: NodeJS.Signals): Promise<void> {
    const running = this.#deps.record.runningProcess(role, host);
    if (running === undefined) return;
    signalProcess(running, signal);
    if (await waitForEnd(running, STOP_DEADLINE_MS)) return;
    signalProcess(running, 'SIGKILL');
    await waitForEnd(running, STOP_DEADLINE_MS);
    throw new ThalwegError('timeout', `the ${role} of ${host} did not end within ${STOP_DEADLINE_MS} ms of ${signal}`, {
      fields: { host },
      nextStep: `it has been killed; its log is ${join(this.#deps.hostDir(host), `${role}.log`)}`,
    });
  }

  async #start(
    role: 'core' | 'agent',
    host: string,
    config: ProgramOverrides,
    ready: (pid: number) => Promise<boolean>,
  ): Promise<void> {
    const { record, hostDir, onHost } = this.#deps;
    const dir = hostDir(host);
    const configPath = join(dir, `${role}.json`);
    writeFileSync(configPath, JSON.stringify(config, null, 2), { mode: 0o600 });
    const argv = onHost(host, this.#program(role, '--config', configPath));
    const env = hostEnvironment(record.state.hosts.length - 1); // the core's host has no WireGuard
    const program = startProgram({ argv, logPath: join(dir, `${role}.log`), env });
    record.addProcess({ role, host, ...program.record });
    const deadline = performance.now() + START_DEADLINE_MS;
    while (!(await ready(program.record.pid))) {
      if (program.ended !== undefined) throw program.failure(`the ${role} of ${host}`);
      if (performance.now() > deadline) {
        const slow = program.failure(`the ${role} of ${host}`);
        throw new ThalwegError('timeout', `not ready within ${START_DEADLINE_MS} ms: ${slow.message}`, {
          fields: slow.fields,
          nextStep: 'is the machine overloaded? look at `uptime`, and at the log',
        });
      }
      await pause(POLL_MS);
    }
  }

  #program(...args: string[]): string[] {
    return [process.execPath, join(this.#deps.record.state.distDir, 'cli', 'main.js'), ...args];
  }
}

/** Looks at the namespace that the process is in, without entering it. */
function hasInterface(pid: number, name: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/net/dev`, 'latin1').includes(` ${name}:`);
  } catch {
    return false;
  }
}
