/** Driver `wire`: a TAP and a socat for each host, one wire-program for all; everything in the `net` namespace. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ThalwegError } from '../protocol/error.ts';
import { portNameOf } from './host-plan.ts';
import type { LabProcess } from './lab-state.ts';
import { execMachine, runMachine } from './machine-command.ts';
import { inNamespace, ipBatch } from './namespace.ts';
import { pause } from './pause.ts';
import { type StartedProgram, startProgram } from './started-program.ts';
import type { NumberedLink } from './switch-rules.ts';
import type { Underlay, UnderlayHost } from './underlay.ts';
import { askWire, SOCAT_BASE_PORT, WIRE_BASE_PORT } from './wire-control.ts';

/**
 * Wire and socat play hardware: they go before everything that runs on the hosts. The lowest real-time priority where
 * the machine allows it (together they need little of a CPU, and a frame then never waits for a time slice), else nice.
 */
const REAL_TIME = ['chrt', '--fifo', '1'];
const HARDWARE_NICE = -10;
/** socat's own buffer for frames that the host has not taken yet; SO_RCVBUFFORCE (33) of SOL_SOCKET (1) as root. */
const SOCAT_RECEIVE_OPTION = 'setsockopt=1:33:4194304';
const START_DEADLINE_MS = 15_000;
const POLL_MS = 10;

export class WireUnderlay implements Underlay {
  readonly #options: { netNamespace: string; labDir: string; programPath: string; seed: number };

  constructor(options: { netNamespace: string; labDir: string; programPath: string; seed: number }) {
    this.#options = options;
  }

  get #controlPath(): string {
    return join(this.#options.labDir, 'wire.sock');
  }

  async build(hosts: readonly UnderlayHost[], onProcess: (process: LabProcess) => void): Promise<void> {
    const { netNamespace, labDir, programPath, seed } = this.#options;
    await ipBatch(netNamespace, ['link set lo up']);
    const first = (await isAllowed([...REAL_TIME, 'true'])) ? REAL_TIME : [];
    const wire = startProgram({
      argv: inNamespace(netNamespace, [
        ...first,
        process.execPath,
        programPath,
        `${hosts.length}`,
        `${seed}`,
        this.#controlPath,
      ]),
      logPath: join(labDir, 'wire.log'),
      nice: HARDWARE_NICE,
    });
    onProcess({ role: 'wire', host: 'net', ...wire.record });
    await until('the wire', [wire], () => existsSync(this.#controlPath));
    const carriers = hosts.map(({ number, name }) => {
      const socat = startProgram({
        argv: inNamespace(netNamespace, [...first, 'socat', ...socatAddresses(number)]),
        logPath: join(labDir, 'socat.log'),
        nice: HARDWARE_NICE,
      });
      onProcess({ role: 'socat', host: name, ...socat.record });
      return socat;
    });
    const ports = hosts.map(({ number }) => portNameOf(number));
    await until('socat', carriers, async () => {
      const links = JSON.parse(await runMachine(['ip', '-n', netNamespace, '-j', 'link', 'show'])) as {
        ifname: string;
      }[];
      const names = new Set(links.map((link) => link.ifname));
      return ports.every((port) => names.has(port));
    });
    await ipBatch(
      netNamespace,
      hosts.map(({ number, namespace }) => `link set ${portNameOf(number)} netns ${namespace} name eth0`),
    );
  }

  async setLinks(changed: readonly NumberedLink[]): Promise<void> {
    await askWire(this.#controlPath, { kind: 'setLinks', links: [...changed] });
  }

  async setPort(host: number, up: boolean): Promise<void> {
    await askWire(this.#controlPath, { kind: 'setPort', host, up });
  }
}

async function isAllowed(argv: readonly string[]): Promise<boolean> {
  return execMachine(argv).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
}

/** UDP4-DATAGRAM: sends to the wire's receiver, takes from its sender, which is another socket. */
function socatAddresses(number: number): [string, string] {
  return [
    `TUN,tun-type=tap,iff-no-pi,tun-name=${portNameOf(number)}`,
    `UDP4-DATAGRAM:127.0.0.1:${WIRE_BASE_PORT + number},bind=127.0.0.1:${SOCAT_BASE_PORT + number},${SOCAT_RECEIVE_OPTION}`,
  ];
}

async function until(
  what: string,
  programs: readonly StartedProgram[],
  ready: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + START_DEADLINE_MS;
  while (!(await ready())) {
    const ended = programs.find((program) => program.ended);
    if (ended !== undefined) throw ended.failure(what);
    if (performance.now() > deadline) {
      throw new ThalwegError('timeout', `${what} did not start within ${START_DEADLINE_MS} ms`, {
        nextStep: 'is the machine overloaded? look at `uptime`',
      });
    }
    await pause(POLL_MS);
  }
}
