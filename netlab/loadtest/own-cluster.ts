/** Several cores on several NATS servers, all on loopback, in folders of their own, and gone with the test. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ThalwegError } from '../../protocol/error.ts';
import { pause } from '../pause.ts';
import { OwnCore } from './own-core.ts';
import { OwnNats } from './own-nats.ts';

const POLL_MS = 10;

export interface ClusterOptions {
  readonly cores: number;
  readonly natsServers: number;
  /** Settings of `thalweg core` for every core. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The cores' program; default: of the build. */
  readonly program?: string;
}

export class OwnCluster {
  readonly nats = new OwnNats();
  readonly cores: OwnCore[] = [];
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Resolves when every core answers and one of them steers. Throws missing_program. */
  async start(): Promise<void> {
    const { cores, natsServers, settings, program } = this.#options;
    await this.nats.start(natsServers);
    for (let i = 0; i < cores; i++) {
      const core = new OwnCore({ ...settings, store: this.nats.addresses }, program);
      this.cores.push(core);
      const [first] = this.cores;
      if (first !== undefined && first !== core) copyAuthority(first, core);
      await core.start();
    }
    await this.solver(60_000);
  }

  /** The core that steers, as soon as there is one. Throws timeout. */
  async solver(limitMs: number, except?: OwnCore): Promise<OwnCore> {
    for (let waitedMs = 0; waitedMs < limitMs; waitedMs += POLL_MS) {
      const asked = this.cores.filter((core) => core !== except);
      const answers = await Promise.all(
        asked.map((core) =>
          core.api.get('/v1/status').then(
            () => core,
            () => undefined,
          ),
        ),
      );
      const found = answers.find((core) => core !== undefined);
      if (found !== undefined) return found;
      await pause(POLL_MS);
    }
    throw new ThalwegError('timeout', `no core steers after ${limitMs} ms`);
  }

  /** Ends everything and removes all folders. Idempotent. */
  async stop(): Promise<void> {
    for (const core of this.cores) await core.stop();
    await this.nats.stop();
  }
}

/** All cores of a mesh have one CA, which an operator copies. */
function copyAuthority(from: OwnCore, to: OwnCore): void {
  mkdirSync(to.stateDir, { recursive: true, mode: 0o700 });
  for (const file of ['ca.key', 'ca.crt']) copyFileSync(join(from.stateDir, file), join(to.stateDir, file));
}
