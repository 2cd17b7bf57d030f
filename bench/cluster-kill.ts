/**
 * Kills cores and NATS servers in turn at random moments while devices join through any core, nodes are removed and tokens are
 * made, used and revoked; after each round what was acknowledged is held against what every core knows.
 * `npm run -s bench -- cluster-kill --rounds 30`.
 *
 * A call that was cut off, or that a core answered with storage_failed, is in doubt: it may have happened or not, and both are
 * right; a join in doubt is repeated with the same keys, as `thalweg join` would be.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { LoadDoor } from '../netlab/loadtest/load-door.ts';
import { OwnCluster } from '../netlab/loadtest/own-cluster.ts';
import type { OwnCore } from '../netlab/loadtest/own-core.ts';
import { seededRandom } from '../netlab/seeded-random.ts';
import { type SampleSummary, summarise } from '../netlab/traffic/percentile.ts';
import type { NodeView, TokenCreated, TokenView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';

export interface ClusterKillOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly cores: number;
  readonly natsServers: number;
  readonly program?: string;
}

export interface ClusterKillResult {
  readonly rounds: number;
  readonly killed: { readonly steering: number; readonly standingBy: number; readonly natsServers: number };
  readonly joinsAcknowledged: number;
  readonly joinsRefused: number;
  readonly joinsInDoubt: number;
  readonly removalsAcknowledged: number;
  readonly tokensAcknowledged: number;
  readonly revocationsAcknowledged: number;
  /** Cores that lost the lease to another one and ended; they are started again, as systemd would. */
  readonly endedByThemselves: number;
  /** From SIGKILL of the core that steers until another one does. */
  readonly takeoverMs: SampleSummary;
  /** What must not be; each as a sentence. Empty: all that was acknowledged was kept. */
  readonly faults: readonly string[];
}

const TOKENS_PER_ROUND = 3;
/** Fewer than the devices that try. */
const USES = 3;
const JOINERS = 3;
/** From the first answer of a round to the kill, at most; and how long the others then go on. */
const LONGEST_MS = 400;
const AFTER_MS = 600;
/** Copies of the tables are milliseconds behind each other; a core that has lost its NATS server needs seconds. */
const AGREE_MS = 15_000;
const SOLVER_LIMIT_MS = 30_000;
const MAX_FAULTS = 20;

interface Joined {
  readonly id: string;
  readonly index: number;
  readonly tokenId: string;
  removal: 'none' | 'asked' | 'acknowledged';
}

interface Doubt {
  readonly door: LoadDoor;
  readonly tokenId: string;
  readonly key: Uint8Array;
}

export async function benchClusterKill(options: ClusterKillOptions): Promise<ClusterKillResult> {
  const { cores, natsServers, program } = options;
  const settings = { engine: 'fleet', maxConcurrentJoins: 100 };
  const cluster = new OwnCluster({ cores, natsServers, settings, ...(program === undefined ? {} : { program }) });
  try {
    await cluster.start();
    return await new ClusterKill(cluster, options).all();
  } finally {
    await cluster.stop();
  }
}

class ClusterKill {
  readonly #cluster: OwnCluster;
  readonly #options: ClusterKillOptions;
  readonly #random: () => number;
  readonly #joined: Joined[] = [];
  /** Token id -> uses. */
  readonly #tokens = new Map<string, number>();
  readonly #revoked = new Set<string>();
  readonly #faults: string[] = [];
  readonly #takeoverMs: number[] = [];
  #ended = 0;
  readonly #killed = { steering: 0, standingBy: 0, natsServers: 0 };
  #refused = 0;
  #inDoubt = 0;
  #removals = 0;

  constructor(cluster: OwnCluster, options: ClusterKillOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async all(): Promise<ClusterKillResult> {
    let rounds = 0;
    for (; rounds < this.#options.rounds && this.#faults.length <= MAX_FAULTS; rounds++) {
      const doubts = await this.#round(rounds);
      for (const core of this.#cluster.cores) {
        if (!core.isOver) continue;
        this.#ended++;
        await core.start();
      }
      this.#inDoubt += doubts.length;
      for (const { door, tokenId, key } of doubts) await this.#settle(door, tokenId, key);
      await this.#check(rounds);
    }
    return {
      rounds,
      killed: this.#killed,
      joinsAcknowledged: this.#joined.length,
      joinsRefused: this.#refused,
      joinsInDoubt: this.#inDoubt,
      removalsAcknowledged: this.#removals,
      tokensAcknowledged: this.#tokens.size,
      revocationsAcknowledged: this.#revoked.size,
      endedByThemselves: this.#ended,
      takeoverMs: summarise(this.#takeoverMs),
      faults: this.#faults,
    };
  }

  /** Works, kills one of them, goes on working, and has it started again; the joins that are in doubt. */
  async #round(round: number): Promise<Doubt[]> {
    const doubts: Doubt[] = [];
    const doors: { door: LoadDoor; id: string }[] = [];
    while (doors.length < TOKENS_PER_ROUND) {
      try {
        const { id, token } = await this.#core().api.post<TokenCreated>('/v1/tokens', { uses: USES });
        this.#tokens.set(id, USES);
        doors.push({ door: await LoadDoor.make(token), id });
      } catch {
        await pause(50);
      }
    }
    let isOver = false;
    const joiner = async () => {
      while (!isOver) {
        const { door, id } = this.#pick(doors);
        const key = new Uint8Array(randomBytes(32));
        if ((await this.#join(door, id, key)) === 'in doubt') doubts.push({ door, tokenId: id, key });
      }
    };
    const operator = async () => {
      while (!isOver) {
        const alive = this.#joined.filter(({ removal }) => removal === 'none');
        if (alive.length > 5) await this.#remove(this.#pick(alive));
        if (this.#random() < 0.1) await this.#revoke(this.#pick(doors).id);
        await pause(this.#random() * 30);
      }
    };
    const workers = [...Array.from({ length: JOINERS }, joiner), operator()];
    await pause(this.#random() * LONGEST_MS);
    const again = await this.#kill(round);
    await pause(AFTER_MS);
    isOver = true;
    await Promise.all(workers);
    await again();
    return doubts;
  }

  /** Cores and servers in turn. Resolves with what brings the killed one back. */
  async #kill(round: number): Promise<() => Promise<void>> {
    const { nats, cores } = this.#cluster;
    const { natsServers } = this.#options;
    const turn = round % (cores.length + natsServers);
    if (turn >= cores.length) {
      const index = turn - cores.length;
      await nats.kill(index);
      this.#killed.natsServers++;
      return () => nats.restart(index);
    }
    const victim = cores[turn] as OwnCore;
    const solver = await this.#cluster.solver(SOLVER_LIMIT_MS);
    const killedAtMs = performance.now();
    await victim.kill();
    if (solver === victim) {
      this.#killed.steering++;
      await this.#cluster.solver(SOLVER_LIMIT_MS, victim);
      this.#takeoverMs.push(performance.now() - killedAtMs);
    } else {
      this.#killed.standingBy++;
    }
    return () => victim.start();
  }

  /** Through any core, which may be dead. */
  async #join(door: LoadDoor, tokenId: string, key: Uint8Array): Promise<'answered' | 'in doubt'> {
    try {
      const { refusal, nodeId: id, index } = await door.through(this.#core().port).join(key, Date.now());
      if (refusal === undefined) {
        this.#joined.push({ id, index, tokenId, removal: 'none' });
        return 'answered';
      }
      if (refusal.code === 'storage_failed') return 'in doubt';
      this.#refused++;
      const expected = ['token_used_up', 'token_revoked', 'overloaded'].includes(refusal.code);
      if (!expected) this.#faults.push(`a join was refused with ${refusal.code}: ${refusal.message}`);
      // failed joins of one address are put off: this test is one address
      if (refusal.code === 'overloaded') await pause(100);
      return 'answered';
    } catch {
      await pause(20);
      return 'in doubt';
    }
  }

  /** Repeats a join until it is answered: all cores and servers are there again. */
  async #settle(door: LoadDoor, tokenId: string, key: Uint8Array): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await this.#join(door, tokenId, key)) === 'answered') return;
      await pause(100);
    }
    this.#faults.push('a join was not answered with all cores and servers there');
  }

  async #remove(node: Joined): Promise<void> {
    node.removal = 'asked';
    try {
      await this.#core().api.delete(`/v1/nodes/${node.id}`);
      node.removal = 'acknowledged';
      this.#removals++;
    } catch {
      // in doubt, or the core had not heard of the node yet
    }
  }

  async #revoke(id: string): Promise<void> {
    try {
      await this.#core().api.delete(`/v1/tokens/${id}`);
      this.#revoked.add(id);
    } catch {
      // in doubt
    }
  }

  async #check(round: number): Promise<void> {
    const deadlineMs = performance.now() + AGREE_MS;
    for (;;) {
      const faults = await this.#faultsNow(round);
      if (faults.length === 0) return;
      if (performance.now() > deadlineMs) {
        this.#faults.push(...faults);
        return;
      }
      await pause(200);
    }
  }

  async #faultsNow(round: number): Promise<string[]> {
    const faults: string[] = [];
    const fault = (text: string) => faults.push(`round ${round}: ${text}`);
    let views: TokenView[][];
    let nodes: NodeView[];
    try {
      const solver = await this.#cluster.solver(SOLVER_LIMIT_MS);
      nodes = await solver.api.get<NodeView[]>('/v1/nodes');
      views = await Promise.all(this.#cluster.cores.map(({ api }) => api.get<TokenView[]>('/v1/tokens')));
    } catch (cause) {
      return [`round ${round}: a core does not answer: ${String(cause)}`];
    }
    if (!views.every((view) => isDeepStrictEqual(view, views[0]))) fault('the cores know different tokens');
    const tokens = new Map((views[0] ?? []).map((token) => [token.id, token]));
    const byId = new Map(nodes.map((node) => [node.id, node]));
    if (new Set(nodes.map(({ index }) => index)).size !== nodes.length) fault('two nodes have one index');
    const holders = new Map<number, string>();
    const uses = new Map<string, Set<string>>();
    for (const node of this.#joined) {
      const known = byId.get(node.id);
      if (node.removal === 'none' && known === undefined) fault(`node ${node.id} is lost`);
      if (node.removal === 'acknowledged' && known !== undefined) fault(`node ${node.id} is back`);
      if (known !== undefined && known.index !== node.index) fault(`node ${node.id} has moved`);
      // indexes of removed nodes rest for ten minutes, which is longer than a run
      const before = holders.get(node.index);
      if (before !== undefined && before !== node.id)
        fault(`index ${node.index} was given to ${before} and ${node.id}`);
      holders.set(node.index, node.id);
      uses.set(node.tokenId, (uses.get(node.tokenId) ?? new Set()).add(node.id));
    }
    for (const [id, allowed] of this.#tokens) {
      const token = tokens.get(id);
      const seen = uses.get(id)?.size ?? 0;
      if (token === undefined) fault(`token ${id} is lost`);
      else if (seen > allowed || token.used > allowed) fault(`token ${id} was used ${seen} times`);
      else if (token.used < seen) fault(`token ${id} counts ${token.used} of ${seen} uses`);
      else if (this.#revoked.has(id) && !token.revoked) fault(`token ${id} is good again`);
    }
    return faults;
  }

  #core(): OwnCore {
    return this.#pick(this.#cluster.cores);
  }

  #pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.#random() * values.length)];
    if (value === undefined) throw new ThalwegError('internal', 'nothing to pick from');
    return value;
  }
}
