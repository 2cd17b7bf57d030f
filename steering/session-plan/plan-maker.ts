/** Makes plans of transit nodes and leaves. Keeps the coordinates from plan to plan, and nothing else that counts. */
import { pairKey } from '../link-state/link-roles.ts';
import { isRtt } from './coordinates.ts';
import { Shortlist } from './exploration.ts';
import { DEFAULT_LEAF_PLAN_OPTIONS, LeafRoom, planLeaf } from './leaf-plan.ts';
import { type PlanAnswer, type PlanMaking, type PlanRequest, unpackPairs } from './plan-request.ts';
import { DEFAULT_SESSION_PLAN_OPTIONS, SessionPlanner } from './session-planner.ts';

export interface PlanMakerOptions {
  /** Most planned sessions of a transit node with transit nodes. */
  readonly degree: number;
  /** Most pairs that a node explores at a time. */
  readonly explorePeers: number;
}

/** Transit nodes that a leaf tries at a time: it needs to find three near ones, and not to know everybody. */
const LEAF_EXPLORES = 1;
/** Times that a leaf's measured links are shown to the coordinates: a few links settle in a few passes. */
const LEAF_PASSES = 16;

export class PlanMaker implements PlanMaking {
  readonly #planner: SessionPlanner;
  readonly #stopwatchMs: () => number;
  #leaves: ReadonlySet<number> = new Set();

  constructor(deps: { readonly stopwatchMs: () => number }, options: PlanMakerOptions) {
    const { degree, explorePeers } = options;
    const most = DEFAULT_SESSION_PLAN_OPTIONS;
    this.#stopwatchMs = deps.stopwatchMs;
    this.#planner = new SessionPlanner({
      degree,
      demandLinks: Math.min(most.demandLinks, Math.floor(degree / 4)),
      leastLinks: Math.min(most.leastLinks, degree),
      exploration: {
        perNode: explorePeers,
        near: Math.ceil(explorePeers / 2),
        nearAndSite: Math.ceil((explorePeers * 3) / 4),
      },
    });
  }

  make(request: PlanRequest): Promise<PlanAnswer> {
    return Promise.resolve(this.makeNow(request));
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  makeNow(request: PlanRequest): PlanAnswer {
    const startMs = this.#stopwatchMs();
    const planner = this.#planner;
    planner.load(request);
    const plan = planner.plan(0);
    const leafPairs = this.#planLeaves(request);
    return {
      links: [...plan.links, ...leafPairs.links],
      explore: [...plan.explore, ...leafPairs.explore],
      beyondBound: plan.beyondBound.length,
      tookMs: this.#stopwatchMs() - startMs,
    };
  }

  #planLeaves({ transit, leaves, known, planned, blocked, demands }: PlanRequest) {
    const { coordinates } = this.#planner;
    for (const leaf of this.#leaves) if (!leaves.includes(leaf)) coordinates.remove(leaf);
    this.#leaves = new Set(leaves);
    const measured = new Map<number, Map<number, number>>(leaves.map((leaf) => [leaf, new Map<number, number>()]));
    for (let i = 0; i < known.length; i += 3) {
      const [low, high, rttUs] = [known[i] ?? 0, known[i + 1] ?? 0, known[i + 2] ?? 0];
      measured.get(low)?.set(high, rttUs);
      measured.get(high)?.set(low, rttUs);
    }
    const barred = new Set(unpackPairs(blocked).map(({ low, high }) => pairKey(low, high)));
    const before = new Map<number, number[]>();
    for (const { low, high } of unpackPairs(planned)) {
      for (const [leaf, peer] of [
        [low, high],
        [high, low],
      ] as const) {
        if (measured.has(leaf)) before.set(leaf, [...(before.get(leaf) ?? []), peer]);
      }
    }
    const isTransit = new Set(transit);
    const room = new LeafRoom();
    const links = new Map<number, { low: number; high: number }>();
    const explore: { low: number; high: number }[] = [];
    const rates = new Map<number, { peer: number; bytesPerSecond: number }[]>();
    for (const { from, to, bytesPerSecond } of demands) {
      if (measured.has(from)) rates.set(from, [...(rates.get(from) ?? []), { peer: to, bytesPerSecond }]);
    }
    for (const leaf of leaves) {
      const own = measured.get(leaf) ?? new Map<number, number>();
      for (let pass = 0; pass < LEAF_PASSES; pass++) {
        for (const [peer, rttUs] of own) if (isTransit.has(peer)) coordinates.observe(leaf, peer, rttUs);
      }
      const rttUs = (peer: number) => own.get(peer) ?? coordinates.predictUs(leaf, peer);
      const isPossible = (peer: number) => !barred.has(pairKey(leaf, peer));
      const peers = before.get(leaf) ?? [];
      const held = {
        transit: peers.filter((peer) => isTransit.has(peer)),
        peers: peers.filter((p) => !isTransit.has(p)),
      };
      // places are counted from nothing in each plan, so the plan before takes its own first
      for (const peer of held.transit) room.leaves.add(peer, 1);
      const options = { ...DEFAULT_LEAF_PLAN_OPTIONS, transitLinks: Math.min(3, transit.length) };
      const wanted = (rates.get(leaf) ?? []).filter(({ peer }) => isTransit.has(peer) || measured.has(peer));
      const plan = planLeaf(
        { leaf, transit, rttUs, isPossible, demands: wanted, before: { transit: held.transit, peers: [] } },
        room,
        options,
      );
      for (const peer of [...plan.transit, ...plan.peers]) links.set(pairKey(leaf, peer), pair(leaf, peer));
      const next = new Shortlist(LEAF_EXPLORES);
      for (const peer of transit) {
        const us = coordinates.predictUs(leaf, peer);
        if (isPossible(peer) && !own.has(peer) && isRtt(us)) next.offer(peer, us);
      }
      const farthestUs = Math.max(...plan.transit.map((peer) => own.get(peer) ?? Number.POSITIVE_INFINITY));
      for (const peer of next.items()) if (coordinates.leastUs(leaf, peer) < farthestUs) explore.push(pair(leaf, peer));
    }
    return {
      links: [...links.values()],
      explore: explore.filter(({ low, high }) => !links.has(pairKey(low, high))),
    };
  }
}

function pair(a: number, b: number): { low: number; high: number } {
  return a < b ? { low: a, high: b } : { low: b, high: a };
}
