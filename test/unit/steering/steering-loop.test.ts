/** The loop around the engine, on a clock that the test turns and a store whose disk is full when the test says so. */
import { beforeEach, expect, it } from 'vitest';
import { ThalwegError } from '../../../protocol/error.ts';
import type { Logger } from '../../../protocol/log.ts';
import { CoreMetrics } from '../../../steering/metrics.ts';
import { SteeringLoop } from '../../../steering/session/steering-loop.ts';
import type { Store } from '../../../steering/store/store.ts';
import { SmallEngine } from '../../fake/small-engine.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

let clock: TurnedClock;
let logged: string[];
let attempts: number;
let full: boolean;
/** How long the clock says that saving the state takes, and how large it is. */
let saveMs: number;
let stateBytes: number;
/** When the state was saved. */
let savedAtMs: number[];
let loop: SteeringLoop;
/** What reached the disk and the nodes, in order. */
let done: string[];

beforeEach(() => {
  clock = new TurnedClock();
  logged = [];
  attempts = 0;
  full = false;
  saveMs = 0;
  stateBytes = 10_000;
  savedAtMs = [];
  done = [];
  const log: Logger = {
    debug: () => {},
    info: (message) => void logged.push(`info ${message}`),
    warn: (message) => void logged.push(`warn ${message}`),
    error: (message) => void logged.push(`error ${message}`),
  };
  const store: Pick<Store, 'saveEngineState' | 'appendEngineRecord'> = {
    saveEngineState: () => {
      attempts++;
      if (full) throw new ThalwegError('disk_full', 'the disk is full');
      done.push('state');
      savedAtMs.push(clock.monoMs());
      clock.lose(saveMs);
    },
    appendEngineRecord: (record) => {
      attempts++;
      if (full) throw new ThalwegError('disk_full', 'the disk is full');
      done.push(`record ${record.length}`);
    },
  };
  const engine = new SmallEngine();
  engine.stepRecord = () => Uint8Array.of(7);
  engine.exportState = () => new Uint8Array(stateBytes);
  loop = new SteeringLoop({
    engine,
    clock,
    store: store as Store,
    log,
    metrics: new CoreMetrics(),
    send: (index) => void done.push(`delta ${index}`),
  });
  loop.start();
});

/** Two nodes, so that there are tables to hand out and a state to save. */
const join = (...indexes: number[]) =>
  loop.event((engine, nowMs) => {
    for (const index of indexes) engine.upsertNode({ index, name: `n${index}`, transit: true }, nowMs);
    for (const index of indexes) engine.nodeConnected(index, 0n, 0n, nowMs);
  });

it('says once that a full disk takes no state, tries every second, and says when it does again', () => {
  clock.turn(1000);
  attempts = 0;
  full = true;
  join(1, 2);
  clock.turn(10_000);
  expect(attempts).toBeGreaterThan(8);
  expect(attempts).toBeLessThan(13);
  expect(logged).toEqual(['error steering state not saved']);
  full = false;
  clock.turn(1100);
  expect(logged).toEqual(['error steering state not saved', 'info steering state is saved again']);
  const saved = attempts;
  clock.turn(5000);
  expect(attempts, 'nothing is saved that has been').toBe(saved);
});

it('writes down what it is about to send, each time, before it sends it', () => {
  clock.turn(1000);
  done = [];
  join(1, 2);
  clock.turn(30);
  expect(done.slice(0, 3)).toEqual(['record 1', 'delta 1', 'delta 2']);
  clock.turn(1000);
  expect(done).toContain('state');
});

it('sends all the same while the disk is full, and starts from a whole state afterwards', () => {
  clock.turn(1000);
  full = true;
  done = [];
  join(1, 2);
  clock.turn(500);
  expect(done).toEqual(['delta 1', 'delta 2']);
  full = false;
  clock.turn(1100);
  expect(done).toEqual(['delta 1', 'delta 2', 'state']);
});

/** Something changes every 100 ms, and one byte of record is written for it. */
const changeFor = (ms: number) => {
  for (let sinceMs = 0; sinceMs < ms; sinceMs += 100) {
    join(1 + ((sinceMs / 100) % 50));
    clock.turn(100);
  }
};

it('spends half a percent of the time on saving the state while records hold less than it', () => {
  saveMs = 20;
  changeFor(20_000);
  expect(savedAtMs.length).toBeGreaterThan(2);
  const pausesMs = savedAtMs.slice(2).map((atMs, i) => atMs - (savedAtMs[i + 1] ?? 0));
  expect(Math.min(...pausesMs)).toBeGreaterThan(200 * saveMs);
});

it('spends a twentieth once the records are larger, also when it had put the next save off', () => {
  saveMs = 20;
  stateBytes = 8;
  changeFor(20_000);
  const pausesMs = savedAtMs.slice(2).map((atMs, i) => atMs - (savedAtMs[i + 1] ?? 0));
  expect(pausesMs.length).toBeGreaterThan(8);
  expect(Math.min(...pausesMs)).toBeGreaterThan(20 * saveMs);
  expect(Math.max(...pausesMs)).toBeLessThan(200 * saveMs);
});

it('tells what was held back while it might not act, but not to a node whose session ended meanwhile', () => {
  loop.stop();
  done = [];
  const lease = { mayAct: true };
  const engine = new SmallEngine();
  engine.stepRecord = () => Uint8Array.of(7);
  // the lease runs out while the record is written
  const store = {
    saveEngineState: () => {
      lease.mayAct = false;
    },
    appendEngineRecord: () => {},
    engineState: () => undefined,
  } as unknown as Store;
  const send = (index: number) => void done.push(`delta ${index}`);
  const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  loop = new SteeringLoop({ engine, clock, store, log: quiet, metrics: new CoreMetrics(), send, lease });
  loop.restore();
  loop.start();
  join(1, 2, 3);
  clock.turn(30);
  expect(done).toEqual([]);
  loop.disconnected(2);
  lease.mayAct = true;
  clock.turn(60);
  expect(done).toEqual(['delta 1', 'delta 3']);
});
