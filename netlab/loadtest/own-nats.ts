/** NATS servers of a test: real ones with JetStream, on loopback, in a folder of their own, and gone with it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ThalwegError } from '../../protocol/error.ts';
import { pause } from '../pause.ts';
import { signalProcess, waitForEnd } from '../process-record.ts';
import { type StartedProgram, startProgram } from '../started-program.ts';
import { freePort } from './free-port.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 5000;
const POLL_MS = 20;

interface Server {
  readonly name: string;
  readonly port: number;
  readonly routePort: number;
  program: StartedProgram | undefined;
}

export class OwnNats {
  #directory: string | undefined;
  readonly #servers: Server[] = [];
  readonly #more: string;

  /** `more`: lines of configuration for every server. */
  constructor(more = '') {
    this.#more = more;
  }

  /** `nats://` addresses, in the order of the servers. */
  get addresses(): string[] {
    return this.#servers.map(({ port }) => `nats://127.0.0.1:${port}`);
  }

  /** Of the servers that run. */
  get pids(): number[] {
    return this.#servers.flatMap(({ program }) =>
      program?.ended === undefined && program ? [program.record.pid] : [],
    );
  }

  /** Starts servers that know each other; 1 is one on its own. Resolves when all take connections. Throws missing_program. */
  async start(count: number): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), 'thalweg-nats-'));
    for (let i = 1; i <= count; i++) {
      const [port, routePort] = [await freePort(), await freePort()];
      this.#servers.push({ name: `n${i}`, port, routePort, program: undefined });
    }
    for (let i = 0; i < count; i++) await this.restart(i);
    for (const server of this.#servers) await this.#untilListening(server);
  }

  /** Starts a server that is not there, with what it has on its disk. */
  async restart(index: number): Promise<void> {
    const server = this.#at(index);
    const folder = join(this.#directory ?? '', server.name);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'nats.conf');
    writeFileSync(file, this.#configuration(server, folder), { mode: 0o600 });
    server.program = startProgram({
      // Ends with this process, however that ends (prctl(2), PR_SET_PDEATHSIG).
      argv: ['setpriv', '--pdeathsig', 'KILL', 'nats-server', '-c', file],
      logPath: join(folder, 'nats.log'),
    });
    if (this.#servers.length === 1) await this.#untilListening(server);
  }

  /** SIGKILL. */
  async kill(index: number): Promise<void> {
    const { program } = this.#at(index);
    if (program === undefined) return;
    signalProcess(program.record, 'SIGKILL');
    await waitForEnd(program.record, STOP_DEADLINE_MS);
  }

  /** Ends them and removes their folder. Idempotent. */
  async stop(): Promise<void> {
    for (let i = 0; i < this.#servers.length; i++) await this.kill(i);
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  #configuration({ name, port, routePort }: Server, folder: string): string {
    const routes = this.#servers.map((one) => `nats://127.0.0.1:${one.routePort}`).join(', ');
    const cluster = `cluster { name: own, listen: "127.0.0.1:${routePort}", routes: [${routes}] }`;
    return [
      `server_name: ${name}`,
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: "${folder}/data", max_memory_store: 64MB, max_file_store: 4GB }`,
      this.#servers.length > 1 ? cluster : '',
      this.#more,
    ].join('\n');
  }

  async #untilListening({ name, port, program }: Server): Promise<void> {
    for (let waitedMs = 0; waitedMs < START_DEADLINE_MS; waitedMs += POLL_MS) {
      if (program?.ended !== undefined) throw program.failure('nats-server');
      if (await answers(port)) return;
      await pause(POLL_MS);
    }
    throw new ThalwegError('timeout', `nats-server ${name} did not listen within ${START_DEADLINE_MS / 1000} s`);
  }

  #at(index: number): Server {
    const server = this.#servers[index];
    if (server === undefined) throw new ThalwegError('invalid_argument', `there is no NATS server ${index}`);
    return server;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
