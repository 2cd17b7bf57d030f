/** What babeld and BIRD have in common here: tunnels, a configuration per host, one process per host, routes in the main table. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../../netlab/lab.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { projectRoot } from '../../protocol/program-file.ts';
import { renderTemplate } from './config-template.ts';
import type { OpenContestant } from './contestant.ts';
import { Tunnels } from './tunnels.ts';

export interface DaemonKind {
  /** File of bench/peers/config. */
  readonly template: string;
  argv(files: DaemonFiles): string[];
  /** What the configuration says of a link with this RTT, in the daemon's own unit. */
  cost(host: string, peer: string, rttMs: number): number;
  /** Tells the running daemon that the link to `peer` is dear, or has its own cost again. Argv on the host, and input. */
  setDear(
    files: DaemonFiles,
    peer: string,
    dear: boolean,
  ): { readonly argv: readonly string[]; readonly stdin?: string; readonly rewrite?: boolean };
}

export interface DaemonFiles {
  readonly config: string;
  readonly socket: string;
  readonly state: string;
}

/** Of a link that nobody should use while there is another way, in every daemon's unit. */
export const DEAR_COST = 4_096;

export class RoutingDaemon implements OpenContestant {
  readonly #lab: Lab;
  readonly #kind: DaemonKind;
  readonly #tunnels: Tunnels;
  readonly #template: string;
  readonly #delayMs: (from: string, to: string) => number;
  readonly #dear = new Set<string>();

  constructor(lab: Lab, kind: DaemonKind, delayMs: (from: string, to: string) => number) {
    this.#lab = lab;
    this.#kind = kind;
    this.#delayMs = delayMs;
    this.#tunnels = new Tunnels(lab);
    this.#template = readFileSync(join(projectRoot(), 'bench/peers/config', kind.template), 'utf8');
  }

  async start(): Promise<void> {
    await Promise.all(this.#lab.hosts.map(({ name }) => this.revive(name)));
  }

  async revive(host: string): Promise<void> {
    await this.#tunnels.bringUp(host);
    this.#configure(host);
    const log = openSync(join(this.#lab.hostDir(host), 'routing.log'), 'a', 0o600);
    try {
      const child = this.#lab.spawn(host, ['setsid', ...this.#kind.argv(this.#files(host))], {
        stdio: ['ignore', log, log],
      });
      child.on('error', () => {}); // a program that is not there: routes that never come say so
      child.unref();
    } finally {
      closeSync(log);
    }
  }

  async addressOf(host: string): Promise<string> {
    return this.#tunnels.host(host).address;
  }

  async isDirect(from: string, to: string): Promise<boolean> {
    const answer = await this.#route(from, to);
    return answer.includes(` dev w-${to} `);
  }

  async reaches(from: string, to: string): Promise<boolean> {
    return / dev w-/.test(await this.#route(from, to));
  }

  async setDear(a: string, b: string, dear: boolean): Promise<void> {
    if (dear) this.#dear.add(`${a}>${b}`).add(`${b}>${a}`);
    else this.#dear.clear();
    await Promise.all(
      [
        [a, b],
        [b, a],
      ].map(async ([host = '', peer = '']) => {
        const { argv, stdin, rewrite } = this.#kind.setDear(this.#files(host), peer, dear);
        if (rewrite === true) this.#configure(host);
        const result = await this.#lab.exec(host, argv, stdin === undefined ? {} : { stdin });
        if (result.exitCode !== 0) {
          const said = `${result.stderr}${result.stdout}`.trim().slice(0, 300);
          throw new ThalwegError('command_failed', `cost of ${host} to ${peer}: ${said}`);
        }
      }),
    );
  }

  #configure(host: string): void {
    const { address, tunnels } = this.#tunnels.host(host);
    const files = this.#files(host);
    const text = renderTemplate(
      this.#template,
      { address, socket: files.socket },
      tunnels.map((tunnel) => ({ interface: tunnel.interface, cost: this.#cost(host, tunnel.peer) })),
    );
    writeFileSync(files.config, text, { mode: 0o600 });
  }

  #cost(host: string, peer: string): number {
    if (this.#dear.has(`${host}>${peer}`)) return DEAR_COST;
    return this.#kind.cost(host, peer, this.#delayMs(host, peer));
  }

  #files(host: string): DaemonFiles {
    const dir = this.#lab.hostDir(host);
    return { config: join(dir, 'routing.conf'), socket: join(dir, 'routing.sock'), state: join(dir, 'routing.state') };
  }

  async #route(from: string, to: string): Promise<string> {
    return (await this.#lab.exec(from, ['ip', 'route', 'get', this.#tunnels.host(to).address])).stdout;
  }
}
