/**
 * The store contract on NATS JetStream: on one server, and on three that keep a copy each. Then what it promises beyond: several
 * cores on one log.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LoadDoor } from '../../netlab/loadtest/load-door.ts';
import { OwnNats } from '../../netlab/loadtest/own-nats.ts';
import type { NodeView, TokenCreated, TokenView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import type { ThalwegError } from '../../protocol/error.ts';
import { decodeCoreFrame } from '../../protocol/frame-codec.ts';
import { silentLogger } from '../../protocol/log.ts';
import { coreConfigSchema, runCore } from '../../steering/core-program.ts';
import { MIGRATIONS } from '../../steering/store/migrations.ts';
import { hasMoved } from '../../steering/store/moved.ts';
import type { LeaseState } from '../../steering/store/nats/lease.ts';
import { encodeLogEntry } from '../../steering/store/nats/log-entry.ts';
import type { NatsSettings } from '../../steering/store/nats/nats-settings.ts';
import { NatsStore } from '../../steering/store/nats/nats-store.ts';
import { builtNatsWorker, hasNatsServer } from './built-nats-worker.ts';
import { aKey, aNode, aToken, storeSuite } from './store-suite.ts';

const hasServer = hasNatsServer('the store contract on NATS');
const worker = builtNatsWorker();
let meshes = 0;

class Place {
  readonly #settings: NatsSettings;
  readonly #folders: string[] = [];
  readonly lost: ThalwegError[] = [];
  readonly leases: LeaseState[] = [];
  foreign = 0;
  readonly mesh = `m${++meshes}`;

  constructor(nats: OwnNats, replicas: number) {
    const files = { credentialsFile: null, caFile: null, certificateFile: null, keyFile: null };
    const names = { mesh: this.mesh, region: 'main' };
    this.#settings = { servers: nats.addresses, replicas, ...names, ...files, allowPlain: false };
  }

  /** One more core's. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'thalweg-store-contract-'));
    this.#folders.push(folder);
    return folder;
  }

  open(stateDir = this.#folders[0] ?? this.folder(), snapshotCommits = 1000): NatsStore {
    const onForeign = () => {
      this.foreign++;
    };
    const onLease = (state: LeaseState) => this.leases.push(state);
    const onLost = (error: ThalwegError) => this.lost.push(error);
    const deps = { monoMs: () => performance.now(), onForeign, onLost, onLease };
    return NatsStore.open(deps, {
      stateDir,
      snapshotCommits,
      settings: this.#settings,
      worker,
    });
  }

  clear(): void {
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }

  /** Empties it as one more commit: streams take three servers a second to make. */
  async empty(): Promise<void> {
    const tables = new DatabaseSync(join(this.#folders[0] ?? '', 'replica.db'));
    const session = tables.createSession();
    tables.exec('PRAGMA foreign_keys = OFF');
    const names = tables.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[];
    for (const { name } of names) tables.exec(`DELETE FROM ${name}`);
    const payload = session.patchset();
    tables.close();
    const connection = await connect({ servers: [...this.#settings.servers] });
    const [js, jsm] = [jetstream(connection), await jetstreamManager(connection)];
    const entry = encodeLogEntry({ kind: 'changes', schema: MIGRATIONS.length, payload });
    await js.publish(`thalweg.${this.mesh}.main.log`, entry);
    await jsm.streams.purge(`thalweg-${this.mesh}-main-engine`);
    await connection.close();
    this.clear();
  }
}

describe.runIf(hasServer).each([1, 3])('NATS with %i server(s)', (count) => {
  const nats = new OwnNats();
  beforeAll(() => nats.start(count), 60_000);
  afterAll(() => nats.stop());
  let place: Place | undefined;
  storeSuite(`NATS, ${count}`, () => {
    place ??= new Place(nats, count);
    const same = place;
    return { open: () => same.open(), clear: () => same.empty() };
  });
});

/** Several cores, each with a folder of its own, on one thread: what one commits between two calls of another is news to it. */
describe.runIf(hasServer)('several cores on one NATS', () => {
  const nats = new OwnNats();
  const opened: NatsStore[] = [];
  let place: Place;
  beforeAll(() => nats.start(1), 60_000);
  beforeEach(() => {
    place = new Place(nats, 1);
  });
  afterEach(() => {
    for (const store of opened.splice(0)) store.close();
    place.clear();
    expect(place.lost).toEqual([]);
  });
  afterAll(() => nats.stop());
  const core = (snapshotCommits?: number) => {
    const store = place.open(place.folder(), snapshotCommits);
    opened.push(store);
    return store;
  };
  const codeOf = (work: () => unknown) => {
    try {
      work();
      return 'done';
    } catch (cause) {
      return (cause as { code: string }).code;
    }
  };

  it('give an index, a name and the last use of a token to one of them', () => {
    const [a, b] = [core(), core()];
    a.insertToken(aToken('t', { uses: 3 }), 'socket');
    a.admitNode(aNode(1));
    expect(
      codeOf(() => b.admitNode(aNode(1, { id: aNode(9).id, name: aNode(9).name, publicKey: aNode(9).publicKey }))),
    ).toBe('conflict');
    expect(codeOf(() => b.admitNode(aNode(2, { name: aNode(1).name })))).toBe('name_taken');
    b.admitNode(aNode(2));
    a.admitNode(aNode(3));
    expect(codeOf(() => b.admitNode(aNode(4)))).toBe('token_used_up');
    a.catchUp();
    b.catchUp();
    expect(a.nodes().map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(b.nodes()).toEqual(a.nodes());
    expect([a.token('t'), a.audit(99)]).toEqual([b.token('t'), b.audit(99)]);
    expect(a.token('t')?.used).toBe(3);
  });

  it('tell whoever decided on what is not so any more, and undo what he did', () => {
    const [a, b] = [core(), core()];
    a.insertToken(aToken('t'), 'socket');
    let isFirst = true;
    const work = () => {
      const taken = b.nodes().length + 1;
      // the other is faster, once
      if (isFirst) a.admitNode(aNode(1));
      isFirst = false;
      b.admitNode(aNode(taken));
      b.setSetting('by', 'b');
    };
    let moved: unknown;
    try {
      b.transaction(work);
    } catch (cause) {
      moved = cause;
    }
    expect(hasMoved(moved)).toBe(true);
    expect([b.nodes().map(({ index }) => index), b.setting('by')]).toEqual([[1], undefined]);
    b.transaction(work);
    a.catchUp();
    expect([a.nodes().map(({ index }) => index), a.setting('by')]).toEqual([[1, 2], 'b']);
  });

  it('find a token that another made a moment ago, and hear of changes without asking', async () => {
    const [a, b] = [core(), core()];
    a.insertToken(aToken('t'), 'socket');
    expect(b.token('t')).toEqual(aToken('t'));
    a.setSetting('x', '1');
    await expect.poll(() => b.setting('x'), { timeout: 10_000 }).toBe('1');
    expect(place.foreign).toBeGreaterThan(0);
  });

  it('take no API key that another has revoked', async () => {
    const [a, b] = [core(), core()];
    a.insertKey(aKey('k'), 'socket');
    await expect.poll(() => b.key('k'), { timeout: 10_000 }).toEqual(aKey('k'));
    b.revokeKey('k', 3000, 'socket');
    await expect.poll(() => a.key('k')?.revokedAtMs, { timeout: 10_000 }).toBe(3000);
    expect(a.audit(1)).toMatchObject([{ kind: 'key_revoked', keyId: 'k' }]);
  });

  it('start from a snapshot and what came since, when the log before it is gone', async () => {
    const a = core(4);
    a.insertToken(aToken('t', { uses: 20 }), 'socket');
    for (let index = 1; index <= 13; index++) {
      a.admitNode(aNode(index));
      // a snapshot goes out beside the commits
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const connection = await connect({ servers: nats.addresses });
    const jsm = await jetstreamManager(connection);
    const first = async () => (await jsm.streams.info(`thalweg-${place.mesh}-main-log`)).state.first_seq;
    await expect.poll(first, { timeout: 10_000 }).toBeGreaterThan(4);
    await connection.close();
    const b = core();
    expect(b.nodes()).toEqual(a.nodes());
    b.admitNode(aNode(14));
    a.catchUp();
    expect(a.nodes()).toHaveLength(14);
  });

  it('let one of them steer, and the next one as soon as it goes', async () => {
    const [a, b] = [core(), core()];
    a.campaign();
    await expect.poll(() => a.mayAct, { timeout: 10_000 }).toBe(true);
    b.campaign();
    await expect.poll(() => place.leases.length, { timeout: 10_000 }).toBeGreaterThan(1);
    const [first, second] = place.leases;
    expect(second).toMatchObject({ isHeld: false, holder: first?.holder });
    expect(b.mayAct).toBe(false);
    a.close();
    await expect.poll(() => b.mayAct, { timeout: 10_000 }).toBe(true);
    const last = place.leases.at(-1);
    expect(last?.holder).not.toBe(first?.holder);
    expect(last?.epoch).toBeGreaterThan(first?.epoch ?? 0);
  });

  it('refuse what the one that steered before writes about its steps', async () => {
    const [a, b] = [core(), core()];
    a.saveEngineState(new Uint8Array(3_000_000).fill(7));
    a.appendEngineRecord(Uint8Array.of(1));
    expect(Buffer.compare(b.engineState() ?? new Uint8Array(), new Uint8Array(3_000_000).fill(7))).toBe(0);
    expect(b.engineRecords()).toEqual([Uint8Array.of(1)]);
    expect(codeOf(() => a.appendEngineRecord(Uint8Array.of(2)))).toBe('conflict');
    expect(codeOf(() => a.saveEngineState(Uint8Array.of(2)))).toBe('conflict');
    b.appendEngineRecord(Uint8Array.of(3));
    expect(b.engineRecords()).toEqual([Uint8Array.of(1), Uint8Array.of(3)]);
    await expect.poll(() => place.lost.splice(0).map(({ code }) => code)).toEqual(['conflict']);
  });
});

const key = (byte: number) => new Uint8Array(32).fill(byte);

/** The code of the refusal that a session begins with whose first frame is none. */
function firstWord(door: LoadDoor, certificateDer: Uint8Array): Promise<string> {
  const socket = door.open(certificateDer);
  return new Promise<string>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const frame = decodeCoreFrame(data);
      const body = frame.ok ? frame.value.body : undefined;
      resolve(body?.case === 'refusal' ? body.value.code : String(body?.case));
    });
    socket.on('open', () => socket.send(Uint8Array.of(255)));
    socket.on('close', () => resolve('closed'));
    socket.on('error', (error) => resolve(error.message));
  }).finally(() => socket.terminate());
}

describe.runIf(hasServer)('a core on NATS', () => {
  const nats = new OwnNats();
  const folders: string[] = [];
  beforeAll(() => nats.start(1), 60_000);
  afterAll(() => nats.stop());
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
  const start = async (stateDir: string) => {
    const apiSocket = join(stateDir, 'core.sock');
    const settings = { store: nats.addresses, listen: '127.0.0.1:0', api: 'none' };
    const config = coreConfigSchema.parse({ ...settings, stateDir, apiSocket, nats: { mesh: `core${meshes}` } });
    const core = await runCore(config, { log: silentLogger, natsWorker: worker });
    return { core, api: new ApiClient(`unix:${apiSocket}`) };
  };
  beforeEach(() => {
    meshes++;
  });
  const newFolder = () => {
    folders.push(mkdtempSync(join(tmpdir(), 'thalweg-nats-core-')));
    return folders.at(-1) as string;
  };

  it('stands by beside another, joins devices and removes nodes, holds sessions, and steers when the other stops', async () => {
    const [first, second] = [newFolder(), newFolder()];
    const one = await start(first);
    for (const file of ['ca.key', 'ca.crt']) copyFileSync(join(first, file), join(second, file));
    const two = await start(second);
    try {
      const { token } = await one.api.post<TokenCreated>('/v1/tokens', { uses: 2 });
      const door = (await LoadDoor.make(token)).through(two.core.ports.agents);
      const [kept, removed] = [await door.join(key(1), Date.now()), await door.join(key(2), Date.now())];
      expect([kept.index, removed.index]).toEqual([1, 2]);
      expect(await firstWord(door, kept.certificateDer)).toBe('protocol_violation');
      await expect(two.api.get('/v1/nodes')).rejects.toMatchObject({ code: 'conflict' });
      await two.api.delete(`/v1/nodes/${removed.nodeId}`);
      await expect.poll(async () => (await one.api.get<NodeView[]>('/v1/nodes')).length, { timeout: 10_000 }).toBe(1);
      const old = door.through(one.core.ports.agents);
      await old.join(key(1), Date.now());
      expect(await firstWord(old, removed.certificateDer)).toBe('node_removed');
      expect(await firstWord(door, removed.certificateDer)).toBe('node_removed');
      await one.core.stop();
      // it waits there, if it came in between, until this core steers
      expect(await firstWord(door, kept.certificateDer)).toBe('protocol_violation');
      const nodesOfTwo = () => two.api.get<NodeView[]>('/v1/nodes').catch(() => []);
      await expect.poll(nodesOfTwo, { timeout: 10_000 }).toMatchObject([{ id: kept.nodeId }]);
    } finally {
      await one.core.stop();
      await two.core.stop();
    }
  });

  it('finds its tokens and nodes again on another host that has its CA, and is refused without', async () => {
    const [first, second] = [newFolder(), newFolder()];
    const one = await start(first);
    const { id, token } = await one.api.post<TokenCreated>('/v1/tokens', { uses: 2 });
    const door = await LoadDoor.make(token);
    const joined = await door.join(new Uint8Array(32).fill(5), Date.now());
    expect(joined.refusal).toBeUndefined();
    await one.core.stop();
    await expect(start(second)).rejects.toMatchObject({ code: 'invalid_config' });
    for (const file of ['ca.key', 'ca.crt']) copyFileSync(join(first, file), join(second, file));
    const two = await start(second);
    try {
      expect(await two.api.get<TokenView[]>('/v1/tokens')).toMatchObject([{ id, used: 1 }]);
      expect(await two.api.get<NodeView[]>('/v1/nodes')).toMatchObject([{ id: joined.nodeId, index: joined.index }]);
    } finally {
      await two.core.stop();
    }
  });
});
