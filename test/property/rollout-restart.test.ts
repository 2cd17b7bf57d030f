/**
 * The core dies at any moment of any move, and its successor starts from what had been saved by then: the last state, or
 * one from some steps before, with what was written ahead since. Agents take in what had reached them, with nobody to tell, and come back in
 * any order. After every single event packets are followed between all pairs: each is delivered on one plane.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SteeringLab, traceEach } from '../unit/steering/steering-lab.ts';

const SIZE = 5;
const node = fc.integer({ min: 1, max: SIZE });

const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('link' as const),
      a: node,
      b: node,
      rttUs: fc.integer({ min: 1, max: 60 }).map((ms) => ms * 1_000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('apply' as const), a: node }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 800, max: 4_000 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      lag: fc.integer({ min: 0, max: 8 }),
      takeIn: fc.array(node),
      order: fc.shuffledSubarray([1, 2, 3, 4, 5], { minLength: SIZE }),
    }),
  },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

class Mesh {
  readonly lab = new SteeringLab();
  isWrittenAhead = true;
  /** After each step, oldest first: what a core could have saved, and what it did write before it sent anything. */
  #disk: { readonly state: Uint8Array; readonly record: Uint8Array | null }[] = [];

  constructor() {
    const { lab } = this;
    for (let index = 1; index <= SIZE; index++) lab.join(index);
    for (let a = 1; a <= SIZE; a++)
      for (let b = a + 1; b <= SIZE; b++) lab.link(a, b, ((a * 7 + b * 13) % 40) * 1_000 + 2_000);
    lab.run(30_000);
    lab.instant = false;
    this.#save();
  }

  perform(event: Event): void {
    const { lab } = this;
    if (event.kind === 'link') {
      if (event.a !== event.b) lab.link(event.a, event.b, event.rttUs);
    } else if (event.kind === 'apply') {
      lab.apply(event.a);
    } else if (event.kind === 'wait') {
      // an agent that is alive applies within the time for which it is waited
      for (const n of lab.nodes.values()) while (n.inbox.length > 0) lab.apply(n.index);
      lab.nowMs += event.ms;
    } else {
      for (const index of event.takeIn) {
        const delta = lab.node(index).inbox.shift();
        if (delta !== undefined) lab.node(index).table.apply(delta);
      }
      const last = this.#disk.slice(-1 - event.lag);
      lab.restart(
        last[0]?.state ?? null,
        this.isWrittenAhead ? last.slice(1).flatMap(({ record }) => record ?? []) : [],
      );
      this.#disk = [];
      this.#save();
      for (const index of event.order) {
        lab.reconnect(index);
        this.#step();
      }
    }
    this.#step();
  }

  check(): void {
    for (let a = 1; a <= SIZE; a++)
      for (let b = 1; b <= SIZE; b++)
        if (a !== b) expect(traceEach(this.lab, a, b), `${a} to ${b}`).toMatchObject({ end: 'delivered' });
  }

  #step(): void {
    this.lab.step();
    this.check();
    this.#save();
  }

  #save(): void {
    const { engine } = this.lab;
    this.#disk.push({ state: engine.exportState(), record: engine.stepRecord() });
    if (this.#disk.length > 20) this.#disk.shift();
  }
}

/**
 * One move, and the core killed after so many events of it. `lag`: the state was saved so many steps before. Returns what
 * went wrong with the packets of any pair at any time until all is at rest again; null: nothing, and the move was over by the kill.
 */
function killedAfter(events: number, lag: number, takeIn: number[]): string | null | undefined {
  const mesh = new Mesh();
  const move: Event[] = [{ kind: 'link', a: 1, b: 4, rttUs: 60_000 }];
  // the agents answer one after the other; the last waits are for draining
  for (let round = 0; round < 3; round++) {
    for (const ms of [100, 300]) move.push({ kind: 'wait', ms });
    for (let a = 1; a <= SIZE; a++) move.push({ kind: 'apply', a });
  }
  for (const ms of [100, 300, 300, 400, 400, 100]) move.push({ kind: 'wait', ms });
  try {
    for (const each of move.slice(0, events)) mesh.perform(each);
    if (events > move.length) return null;
    mesh.perform({ kind: 'restart', lag, takeIn, order: [3, 1, 5, 2, 4] });
    for (let round = 0; round < 3; round++) for (let a = 1; a <= SIZE; a++) mesh.perform({ kind: 'apply', a });
    for (let i = 0; i < 40; i++) mesh.perform({ kind: 'wait', ms: 400 });
  } catch (failure) {
    return failure instanceof Error ? failure.message : String(failure);
  }
  if (events > 0) expect(mesh.lab.trace(1, 4).path.length, 'the move took place').toBeGreaterThan(2);
  for (const n of mesh.lab.nodes.values()) {
    const { generation } = n.table;
    expect(mesh.lab.engine.tableState(n.index), `node ${n.index}`).toEqual({
      acknowledged: generation,
      wanted: generation,
    });
  }
  return undefined;
}

function eachKill(): string[] {
  const faults: string[] = [];
  for (const lag of [0, 2, 8]) {
    for (const takeIn of [[], [1, 2, 3, 4, 5], [2, 4]]) {
      for (let events = 0; ; events++) {
        const fault = killedAfter(events, lag, takeIn);
        if (fault === null) break;
        if (fault !== undefined) faults.push(`after ${events} events, state ${lag} steps old: ${fault.slice(0, 80)}`);
      }
    }
  }
  return faults;
}

describe('a core that dies', { timeout: 120_000 }, () => {
  it('loses no packet and finishes or abandons a move, at whichever event of it', () => {
    expect(eachKill()).toEqual([]);
  });

  const weather = (isWrittenAhead: boolean) =>
    fc.property(fc.array(event, { minLength: 20, maxLength: 120 }), (events) => {
      const mesh = new Mesh();
      mesh.isWrittenAhead = isWrittenAhead;
      for (const each of events) mesh.perform(each);
    });

  it('loses no packet, whatever was under way', () => {
    fc.assert(weather(true), { numRuns: 100 });
  });

  it('would lose packets if it did not write down what it is about to say', () => {
    expect(fc.check(weather(false), { numRuns: 100, seed: -1397618733, endOnFailure: true }).failed).toBe(true);
  });
});
