/**
 * Kills a core at random moments while devices join, nodes are removed and tokens are made, used and revoked; after each
 * kill what was acknowledged is held against what the next core knows. `npm run -s bench -- core-kill --rounds 200`.
 *
 * A call that the kill cut off is in doubt: it may have happened or not, and both are right; a join in doubt is repeated
 * with the same keys, as `thalweg join` would be.
 */
import { randomBytes } from 'node:crypto';
import { LoadDoor } from '../netlab/loadtest/load-door.ts';
import { OwnCore } from '../netlab/loadtest/own-core.ts';
import { seededRandom } from '../netlab/seeded-random.ts';
import { type SampleSummary, summarise } from '../netlab/traffic/percentile.ts';
import type { NodeView, TokenCreated, TokenView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { decodeCoreFrame } from '../protocol/frame-codec.ts';

export interface CoreKillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** The core's program; default: of the build. */
  readonly program?: string;
}

export interface CoreKillResult {
  readonly rounds: number;
  readonly joinsAcknowledged: number;
  readonly joinsRefused: number;
  readonly joinsInDoubt: number;
  readonly removalsAcknowledged: number;
  readonly tokensAcknowledged: number;
  readonly revocationsAcknowledged: number;
  readonly restartMs: SampleSummary;
  /** What must not be; each as a sentence. Empty: all that was acknowledged was kept. */
  readonly faults: readonly string[];
}

const TOKENS_PER_ROUND = 3;
/** Fewer than the devices that try. */
const USES = 3;
const JOINERS = 4;
/** From the first answer of a round to the kill. */
const LONGEST_MS = 400;
/** Indexes of removed nodes rest for ten minutes. */
const QUARANTINE_MS = 600_000;
const MAX_FAULTS = 20;

interface Joined {
  readonly id: string;
  readonly index: number;
  readonly tokenId: string;
  readonly certificateDer: Uint8Array;
  readonly door: LoadDoor;
  removal: 'none' | 'asked' | 'acknowledged';
  askedAtMs: number;
}

export async function benchCoreKill(options: CoreKillOptions): Promise<CoreKillResult> {
  const core = new OwnCore({ engine: 'fleet', maxConcurrentJoins: 100 }, options.program);
  try {
    return await new CoreKill(core, options).all();
  } finally {
    await core.stop();
  }
}

class CoreKill {
  readonly #core: OwnCore;
  readonly #options: CoreKillOptions;
  readonly #random: () => number;
  readonly #joined: Joined[] = [];
  /** Token id -> uses. */
  readonly #tokens = new Map<string, number>();
  readonly #revoked = new Set<string>();
  readonly #faults: string[] = [];
  #refused = 0;
  #inDoubt = 0;
  #removals = 0;

  constructor(core: OwnCore, options: CoreKillOptions) {
    this.#core = core;
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async all(): Promise<CoreKillResult> {
    const restartMs: number[] = [];
    await this.#core.start();
    for (let round = 0; round < this.#options.rounds; round++) {
      const doubts = await this.#load();
      const startedAtMs = performance.now();
      await this.#core.start();
      restartMs.push(performance.now() - startedAtMs);
      for (const { door, tokenId, key } of doubts) await this.#join(door, tokenId, key);
      await this.#check(round);
      if (this.#faults.length > MAX_FAULTS) break;
    }
    return {
      rounds: restartMs.length,
      joinsAcknowledged: this.#joined.length,
      joinsRefused: this.#refused,
      joinsInDoubt: this.#inDoubt,
      removalsAcknowledged: this.#removals,
      tokensAcknowledged: this.#tokens.size,
      revocationsAcknowledged: this.#revoked.size,
      restartMs: summarise(restartMs),
      faults: this.#faults,
    };
  }

  /** Works until the core is killed; the joins that were under way then. */
  async #load(): Promise<{ door: LoadDoor; tokenId: string; key: Uint8Array }[]> {
    const doubts: { door: LoadDoor; tokenId: string; key: Uint8Array }[] = [];
    const doors: { door: LoadDoor; id: string }[] = [];
    for (let i = 0; i < TOKENS_PER_ROUND; i++) {
      const { id, token } = await this.#core.api.post<TokenCreated>('/v1/tokens', { uses: USES });
      this.#tokens.set(id, USES);
      doors.push({ door: await LoadDoor.make(token), id });
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
        await new Promise((resolve) => setTimeout(resolve, this.#random() * 30));
      }
    };
    const workers = [...Array.from({ length: JOINERS }, joiner), operator()];
    await new Promise((resolve) => setTimeout(resolve, this.#random() * LONGEST_MS));
    await this.#core.kill();
    isOver = true;
    await Promise.all(workers);
    this.#inDoubt += doubts.length;
    return doubts;
  }

  async #join(door: LoadDoor, tokenId: string, key: Uint8Array): Promise<'answered' | 'in doubt'> {
    try {
      const { refusal, nodeId: id, index, certificateDer } = await door.join(key, Date.now());
      if (refusal === undefined) {
        this.#joined.push({ id, index, tokenId, certificateDer, door, removal: 'none', askedAtMs: 0 });
      } else {
        this.#refused++;
        const expected = ['token_used_up', 'token_revoked', 'overloaded'].includes(refusal.code);
        if (!expected) this.#fault(`a join was refused with ${refusal.code}: ${refusal.message}`);
        // failed joins of one address are put off: this test is one address
        if (refusal.code === 'overloaded') await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return 'answered';
    } catch {
      return 'in doubt';
    }
  }

  async #remove(node: Joined): Promise<void> {
    node.removal = 'asked';
    node.askedAtMs = performance.now();
    try {
      await this.#core.api.delete(`/v1/nodes/${node.id}`);
      node.removal = 'acknowledged';
      this.#removals++;
    } catch {
      // in doubt
    }
  }

  async #revoke(id: string): Promise<void> {
    try {
      await this.#core.api.delete(`/v1/tokens/${id}`);
      this.#revoked.add(id);
    } catch {
      // in doubt
    }
  }

  async #check(round: number): Promise<void> {
    const nodes = await this.#core.api.get<NodeView[]>('/v1/nodes');
    const tokens = new Map((await this.#core.api.get<TokenView[]>('/v1/tokens')).map((token) => [token.id, token]));
    const byId = new Map(nodes.map((node) => [node.id, node]));
    if (new Set(nodes.map(({ index }) => index)).size !== nodes.length) this.#fault(`round ${round}: an index twice`);
    const holders = new Map<number, Joined>();
    const uses = new Map<string, number>();
    for (const node of this.#joined) {
      uses.set(node.tokenId, (uses.get(node.tokenId) ?? 0) + 1);
      const known = byId.get(node.id);
      if (node.removal === 'none' && known === undefined) this.#fault(`round ${round}: node ${node.id} is lost`);
      if (node.removal === 'acknowledged' && known !== undefined) this.#fault(`round ${round}: ${node.id} is back`);
      if (known !== undefined && known.index !== node.index) this.#fault(`round ${round}: ${node.id} has moved`);
      const before = holders.get(node.index);
      // a removal in doubt may have happened, but no earlier than it was asked for
      const rested =
        before !== undefined && before.removal !== 'none' && performance.now() - before.askedAtMs > QUARANTINE_MS;
      if (before !== undefined && before.id !== node.id && !rested) {
        this.#fault(`round ${round}: index ${node.index} was given to ${before.id} and to ${node.id}`);
      }
      holders.set(node.index, node);
    }
    for (const [id, allowed] of this.#tokens) {
      const token = tokens.get(id);
      const seen = uses.get(id) ?? 0;
      if (token === undefined) this.#fault(`round ${round}: token ${id} is lost`);
      else if (seen > allowed || token.used > allowed)
        this.#fault(`round ${round}: token ${id} was used ${seen} times`);
      else if (token.used < seen) this.#fault(`round ${round}: token ${id} counts ${token.used} of ${seen} uses`);
      else if (this.#revoked.has(id) && !token.revoked) this.#fault(`round ${round}: token ${id} is good again`);
    }
    const removed = this.#joined.filter(({ removal }) => removal === 'acknowledged');
    if (removed.length > 0) await this.#checkRefused(this.#pick(removed));
  }

  /** The certificate of a removed node opens nothing. */
  async #checkRefused(node: Joined): Promise<void> {
    const socket = node.door.open(node.certificateDer);
    const said = await new Promise<string>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const frame = decodeCoreFrame(data);
        const body = frame.ok ? frame.value.body : undefined;
        resolve(body?.case === 'refusal' ? body.value.code : String(body?.case));
      });
      socket.on('close', () => resolve('closed'));
      socket.on('error', (error) => resolve(error.message));
    });
    socket.terminate();
    if (said !== 'node_removed') this.#fault(`the removed node ${node.id} was answered with ${said}`);
  }

  #pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.#random() * values.length)];
    if (value === undefined) throw new ThalwegError('internal', 'nothing to pick from');
    return value;
  }

  #fault(text: string): void {
    this.#faults.push(text);
  }
}
