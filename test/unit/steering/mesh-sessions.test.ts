/** When plans are made, what goes into them, and what stays in force without them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { pairKey } from '../../../steering/link-state/link-roles.ts';
import { MeshSessions } from '../../../steering/session-plan/mesh-sessions.ts';
import { PlanMaker } from '../../../steering/session-plan/plan-maker.ts';
import { unpackPairs } from '../../../steering/session-plan/plan-request.ts';
import { loadKnown, loadSessions, saveKnown, saveSessions } from '../../../steering/session-plan/saved-sessions.ts';
import { observation } from './steering-lab.ts';

const OPTIONS = { maxPeers: 4, explorePeers: 2, roundMs: 20_000, restMs: 600_000 };

let nowMs: number;
let mesh: MeshSessions;
let maker: PlanMaker;
/** Pairs that cannot hold a session. */
let broken: Set<number>;
let plans: number;

function begin(): void {
  mesh = new MeshSessions(OPTIONS);
  maker = new PlanMaker({ stopwatchMs: () => 0 }, { degree: 4, explorePeers: 2 });
}

beforeEach(() => {
  nowMs = 0;
  broken = new Set();
  plans = 0;
  begin();
});

const rttUs = (a: number, b: number) => 1_000 * Math.abs(a - b) + 500;

function join(...indexes: number[]): void {
  for (const index of indexes) mesh.upsertNode(index, true, true, nowMs);
}

/** Lets time pass: agents report every second what works, plans are made when they are due. */
function run(ms: number, inUse: (a: number, b: number) => boolean = () => false): void {
  for (const end = nowMs + ms; nowMs < end; ) {
    nowMs += 1_000;
    for (const { low, high, openedMs } of [...mesh.ledger.all()]) {
      if (broken.has(pairKey(low, high)) || nowMs < openedMs + 3_000) continue;
      for (const [from, to] of [
        [low, high],
        [high, low],
      ] as const) {
        mesh.reported(from, [observation(to, rttUs(from, to))], nowMs);
      }
    }
    const request = mesh.request(nowMs);
    if (request !== undefined) {
      plans++;
      mesh.take(maker.makeNow(request), nowMs);
    }
    mesh.tick(nowMs, inUse);
    mesh.takeChanges();
  }
}

const planned = () =>
  [...mesh.ledger.all()].filter(({ role }) => role === 'planned').map(({ low, high }) => `${low}-${high}`);

describe('sessions of a mesh', () => {
  it('are between all pairs up to the limit, and no plan is made', () => {
    join(1, 2, 3, 4, 5);
    run(60_000);
    expect([mesh.isLimited, plans]).toEqual([false, 0]);
    expect(mesh.peersOf(3)).toEqual([1, 2, 4, 5]);
    expect(mesh.arePeers(1, 5)).toBe(true);
    expect(mesh.arePeers(1, 1)).toBe(false);
  });

  it('stay what they were when one node too many comes, until there is a plan', () => {
    join(1, 2, 3, 4, 5, 6);
    expect(mesh.isLimited).toBe(true);
    expect(mesh.peersOf(3)).toEqual([1, 2, 4, 5]);
    expect(mesh.peersOf(6)).toEqual([]);
    const changes = mesh.takeChanges();
    expect(changes?.roles).toHaveLength(10);
    expect([changes?.opened, changes?.closed]).toEqual([[], []]);
    run(2_000);
    expect(mesh.peersOf(6).length).toBeGreaterThan(0);
  });

  it('come back for all pairs when the mesh is well below the limit again', () => {
    join(1, 2, 3, 4, 5, 6);
    run(60_000);
    for (const index of [6, 5]) mesh.removeNode(index, nowMs);
    expect(mesh.isLimited).toBe(true);
    mesh.removeNode(4, nowMs);
    expect(mesh.isLimited).toBe(false);
    expect(mesh.takeChanges()?.roles).toBeNull();
    expect(mesh.peersOf(1)).toEqual([2, 3]);
    run(60_000);
    expect(mesh.isLimited).toBe(false);
  });

  it('are explored in rounds, fewer and fewer once they find nothing', () => {
    join(...Array.from({ length: 12 }, (_, i) => i + 1));
    run(200_000);
    const early = plans;
    expect(mesh.known.all().length).toBeGreaterThan(50);
    run(1_200_000);
    expect(plans - early).toBeLessThan(12);
  });

  it('that nobody can use are not planned again for a while, and the mesh holds together without them', () => {
    for (let a = 1; a < 10; a++) broken.add(pairKey(a, 10));
    broken.delete(pairKey(2, 10));
    join(...Array.from({ length: 10 }, (_, i) => i + 1));
    run(400_000);
    expect(planned()).toContain('2-10');
    const tried = mesh.peersOf(10).filter((peer) => peer !== 2);
    expect(tried.length).toBeLessThanOrEqual(2);
  });

  it('of a node that is away stay, and it has them again when it is back', () => {
    join(...Array.from({ length: 9 }, (_, i) => i + 1));
    run(100_000);
    const before = mesh.peersOf(5);
    mesh.upsertNode(5, true, false, nowMs);
    for (let b = 1; b <= 9; b++) broken.add(pairKey(5, b));
    run(3_000_000);
    expect(mesh.peersOf(5).filter((peer) => before.includes(peer)).length).toBeGreaterThan(0);
    broken.clear();
    mesh.upsertNode(5, true, true, nowMs);
    run(60_000);
    expect(mesh.peersOf(5).length).toBeGreaterThanOrEqual(2);
  });

  it('that rows point at never end', () => {
    join(...Array.from({ length: 9 }, (_, i) => i + 1));
    run(10_000);
    const used = new Set(mesh.peersOf(1).map((peer) => pairKey(1, peer)));
    const before = mesh.peersOf(1);
    run(300_000, (a, b) => used.has(pairKey(a, b)));
    // explored ones carry nothing, so no row can point at them
    const kept = before.filter((peer) => mesh.arePeers(1, peer));
    expect(kept.length).toBeGreaterThanOrEqual(before.length - OPTIONS.explorePeers);
  });

  it('follow who talks much', () => {
    join(...Array.from({ length: 14 }, (_, i) => i + 1));
    run(100_000);
    expect(planned()).not.toContain('1-14');
    mesh.known.observe(1, 14, 2_000, nowMs);
    mesh.demanded(1, [{ peerIndex: 14, bytesPerSecond: 1e6 }]);
    join(15);
    run(30_000);
    expect(planned()).toContain('1-14');
  });

  it('are the same after a restart of the core, and a request says all that it is made of', () => {
    join(...Array.from({ length: 12 }, (_, i) => i + 1));
    run(200_000);
    const before = planned();
    const [sessions, known] = [saveSessions(mesh.ledger.all()), saveKnown(mesh.known, nowMs, 1_000_000)];
    begin();
    const isNode = (index: number) => index !== 12;
    nowMs += 1_000;
    expect(loadKnown(known, mesh.known, isNode, nowMs, 1_001_000)).toBe(true);
    mesh.restore(loadSessions(sessions, isNode, nowMs) ?? [], nowMs);
    for (let i = 1; i <= 11; i++) mesh.upsertNode(i, true, false, nowMs);
    expect(planned()).toEqual(before.filter((pair) => !pair.endsWith('-12')));
    for (let i = 1; i <= 11; i++) mesh.upsertNode(i, true, true, nowMs);
    const made = plans;
    run(29_000);
    expect(plans, 'no plan while nodes come back').toBe(made);
    const kept = new Set(planned());
    run(60_000);
    const changed = planned().filter((pair) => !kept.has(pair)).length;
    expect(changed).toBeLessThanOrEqual(6);
    const request = mesh.request(nowMs + 10_000_000);
    expect(request?.transit).toHaveLength(11);
    expect(unpackPairs(request?.planned ?? new Float64Array()).length).toBe(planned().length);
  });

  it('that were saved and cannot be read are refused whole', () => {
    const all = () => true;
    for (const text of ['', 'x', '{}', '{"version":2,"sessions":[]}', '{"version":1,"sessions":[[1,2,7]]}']) {
      expect(loadSessions(text, all, 0)).toBeUndefined();
      expect(loadKnown(text, mesh.known, all, 0, 0)).toBe(false);
    }
    expect(loadSessions('{"version":1,"sessions":[[2,1,0],[1,2,1]]}', all, 5)).toEqual([
      { low: 1, high: 2, role: 'leaving', openedMs: 5, measuredMs: 5 },
    ]);
  });
});
