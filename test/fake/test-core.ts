/** A real core on loopback ports of the system's choice, in a state directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ApiRole, KeyCreate, KeyCreated, TokenCreate, TokenCreated } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import type { LogFields, Logger } from '../../protocol/log.ts';
import { type CoreConfig, coreConfigSchema, type RunningCore, runCore } from '../../steering/core-program.ts';
import type { PlanMaking } from '../../steering/session-plan/plan-request.ts';
import { SmallEngine } from './small-engine.ts';
import { TestAgent } from './test-agent.ts';

export class TestCore {
  readonly directory = mkdtempSync(join(tmpdir(), 'thalweg-core-test-'));
  readonly logged: { level: string; message: string; fields: LogFields | undefined }[] = [];
  engine = new SmallEngine();
  running: RunningCore | undefined;
  /** Makes session plans in this thread: there need not be a build. */
  plans: PlanMaking | undefined;
  /** True: the engine that the configuration names, instead of the small one. */
  readonly hasRealEngine: boolean;

  constructor({ hasRealEngine = false } = {}) {
    this.hasRealEngine = hasRealEngine;
  }

  get stateDir(): string {
    return join(this.directory, 'state');
  }

  get log(): Logger {
    const at = (level: string) => (message: string, fields?: LogFields) =>
      void this.logged.push({ level, message, fields });
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  config(change: Partial<CoreConfig> = {}): CoreConfig {
    return coreConfigSchema.parse({
      stateDir: this.stateDir,
      listen: '127.0.0.1:0',
      api: '127.0.0.1:0',
      apiSocket: join(this.directory, 'core.sock'),
      ...change,
    });
  }

  async start(change: Partial<CoreConfig> = {}): Promise<this> {
    this.engine = new SmallEngine();
    const own = this.hasRealEngine ? {} : { makeEngine: () => this.engine };
    this.running = await runCore(this.config(change), {
      log: this.log,
      ...own,
      ...(this.plans && { plans: this.plans }),
    });
    return this;
  }

  async restart(change: Partial<CoreConfig> = {}): Promise<void> {
    await this.running?.stop();
    await this.start(change);
  }

  get port(): number {
    return this.running?.ports.agents ?? 0;
  }

  /** The local socket, with full rights. */
  get api(): ApiClient {
    return new ApiClient(`unix:${this.config().apiSocket}`);
  }

  get readApi(): ApiClient {
    return new ApiClient(`http://127.0.0.1:${this.running?.ports.api}`);
  }

  /** Over loopback TCP, with an API key. */
  apiWith(key: string): ApiClient {
    return new ApiClient(`http://127.0.0.1:${this.running?.ports.api}`, { key });
  }

  async key(role: ApiRole, wanted: Partial<KeyCreate> = {}): Promise<KeyCreated> {
    return await this.api.post<KeyCreated>('/v1/keys', { role, ...wanted });
  }

  async token(wanted: TokenCreate = {}): Promise<TokenCreated> {
    return await this.api.post<TokenCreated>('/v1/tokens', wanted);
  }

  /** A new agent that has joined with a token of its own. */
  async agent(name = ''): Promise<TestAgent> {
    const agent = new TestAgent(this.port);
    const { refusal } = await agent.join((await this.token()).token, { name });
    if (refusal !== undefined) throw new Error(`join refused: ${refusal.code}: ${refusal.message}`);
    return agent;
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Polls until `condition` holds; fails with `what` after 10 s. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
