/**
 * Which sessions a leaf holds: two to four transit nodes and its busiest peers. One leaf at a time, so that a million of
 * them are a stream and not a table; what must hold across leaves, the room at transit nodes and at busy peers, is in
 * `LeafRoom`. Work per leaf: one look at each transit node.
 *
 *   transit   the nearest by measurement or estimate that have room; one of the plan before counts as shorter by
 *             `stickiness`, and stays without regard to room
 *   peers     by falling demand, while both ends have room
 */
import { isRtt } from './coordinates.ts';
import { Shortlist } from './exploration.ts';

export interface LeafPlanOptions {
  /** Transit nodes per leaf. 3: one may fail while another is being replaced. */
  readonly transitLinks: number;
  /** Most busy peers per leaf, at both ends. */
  readonly peerLinks: number;
  /** Most leaves per transit node. 2,000 transit nodes with room for 2,000 carry a million leaves with 3 links each. */
  readonly leavesPerTransit: number;
  /** By how much a transit node of the plan before counts as nearer. */
  readonly stickiness: number;
}

export const DEFAULT_LEAF_PLAN_OPTIONS: LeafPlanOptions = {
  transitLinks: 3,
  peerLinks: 4,
  leavesPerTransit: 2_000,
  stickiness: 0.1,
};

/** Places taken: leaves at each transit node, and sessions with busy peers at each node, by stable index. */
export class LeafRoom {
  readonly leaves = new Counts();
  readonly peers = new Counts();
}

/** How often each node was counted; never below 0. */
export class Counts {
  readonly #counts = new Map<number, number>();

  of(node: number): number {
    return this.#counts.get(node) ?? 0;
  }

  add(node: number, by: 1 | -1): void {
    const count = this.of(node) + by;
    if (count > 0) this.#counts.set(node, count);
    else this.#counts.delete(node);
  }
}

export interface LeafPlan {
  /** Transit nodes, nearest first. */
  readonly transit: readonly number[];
  /** Busiest peers, busiest first. */
  readonly peers: readonly number[];
}

export interface LeafInput {
  readonly leaf: number;
  /** Candidates, each once. */
  readonly transit: readonly number[];
  /** Measured RTT to a transit node in microseconds, or an estimate of it; NaN: nothing is known. */
  readonly rttUs: (transit: number) => number;
  readonly isPossible: (peer: number) => boolean;
  /** Peers with bytes per second, in any order. */
  readonly demands: readonly { readonly peer: number; readonly bytesPerSecond: number }[];
  /** Its plan before; its places are given back first. */
  readonly before: LeafPlan | null;
}

/**
 * Plans one leaf and takes its places in `room`. Fewer transit nodes than asked for only when no more are possible or have
 * room. A session is held when the plan of one of its ends names it.
 */
export function planLeaf(input: LeafInput, room: LeafRoom, options: LeafPlanOptions): LeafPlan {
  if (input.before !== null) count(input.leaf, input.before, room, -1);
  const transit = chooseTransit(input, room, options);
  const plan = { transit, peers: choosePeers(input, transit, room, options) };
  count(input.leaf, plan, room, 1);
  return plan;
}

/** Gives back the places of a leaf that is gone. */
export function releaseLeaf(leaf: number, plan: LeafPlan, room: LeafRoom): void {
  count(leaf, plan, room, -1);
}

function count(leaf: number, plan: LeafPlan, room: LeafRoom, by: 1 | -1): void {
  for (const node of plan.transit) room.leaves.add(node, by);
  for (const peer of plan.peers) {
    room.peers.add(peer, by);
    room.peers.add(leaf, by);
  }
}

function chooseTransit(input: LeafInput, room: LeafRoom, options: LeafPlanOptions): number[] {
  const held = new Set(input.before?.transit);
  const withRoom = new Shortlist(options.transitLinks);
  const full = new Shortlist(options.transitLinks);
  for (const node of input.transit) {
    if (node === input.leaf || !input.isPossible(node)) continue;
    const rttUs = input.rttUs(node);
    // what is not known comes after all that is, in the order of the candidates
    const known = isRtt(rttUs) ? rttUs : Number.MAX_VALUE;
    const key = held.has(node) ? known * (1 - options.stickiness) : known;
    const list = held.has(node) || room.leaves.of(node) < options.leavesPerTransit ? withRoom : full;
    list.offer(node, key);
  }
  const chosen = withRoom.items();
  // a leaf without any transit node is cut off: then the bound gives way, for one
  return chosen.length > 0 ? [...chosen] : full.items().slice(0, 1);
}

function choosePeers(input: LeafInput, transit: readonly number[], room: LeafRoom, options: LeafPlanOptions): number[] {
  const busiest = input.demands
    .filter(({ peer, bytesPerSecond }) => bytesPerSecond > 0 && peer !== input.leaf && !transit.includes(peer))
    .sort((x, y) => y.bytesPerSecond - x.bytesPerSecond || x.peer - y.peer);
  const chosen: number[] = [];
  for (const { peer } of busiest) {
    if (room.peers.of(input.leaf) + chosen.length >= options.peerLinks) break;
    if (chosen.includes(peer) || room.peers.of(peer) >= options.peerLinks || !input.isPossible(peer)) continue;
    chosen.push(peer);
  }
  return chosen;
}
