/**
 * Which transit node a leaf should hang off: pure choice among its measured links.
 *
 *   1  links that are up, to transit nodes that take leaves, and that have room for one more (the home has it for those
 *      it holds already, unless it is over its capacity)
 *   2  where none has room, the one that is least over its capacity: to be reached matters more than balance
 *   3  of those, the ones within `near` of the cheapest; among them by a hash of (leaf, transit node), weighted by the
 *      free share of each (rendezvous hashing: Thaler and Ravishankar, IEEE/ACM ToN 1998): each leaf has its own
 *      favourite, so a good relay that comes up is not taken by everybody at once, and the same input chooses the same
 *   4  the home stays unless the choice wins by a margin; winning is held for a while before it moves (leaf-homes.ts)
 */
import { DOWN, type LeafLinks, LINKS, NO_TRANSIT } from './leaf-links.ts';

export interface AttachmentOptions {
  /** Costs within the larger of these of the cheapest are alike: below what a user or a probe can tell. */
  readonly nearUs: number;
  readonly nearRatio: number;
  /** A move must win by both of these, as in rib/incumbency.ts. */
  readonly gainUs: number;
  readonly gainRatio: number;
}

export const DEFAULT_ATTACHMENT_OPTIONS: AttachmentOptions = {
  nearUs: 500,
  nearRatio: 0.025,
  gainUs: 500,
  gainRatio: 0.025,
};

/** How many leaves each transit node holds and may hold, by slot. Capacity 0: it takes none. */
export interface TransitLoad {
  readonly load: Uint32Array;
  readonly capacity: Uint32Array;
}

/** What a leaf should do about its home. */
export interface AttachmentChoice {
  /** Slot to hang off; NO_TRANSIT: no link is usable. */
  readonly transit: number;
  /**
   * `stay`: the home is good enough. `move`: the other is better, if that lasts. `mustMove`: the home cannot be used.
   */
  readonly verdict: 'stay' | 'move' | 'mustMove';
  /** Cost of the home and of the choice; DOWN where there is none. */
  readonly homeUs: number;
  readonly choiceUs: number;
}

/** Chooses for one leaf, in O(LINKS). `home` is NO_TRANSIT for a leaf that has none yet. */
export function chooseAttachment(
  links: LeafLinks,
  leaf: number,
  home: number,
  { load, capacity }: TransitLoad,
  options: AttachmentOptions,
): AttachmentChoice {
  const from = leaf * LINKS;
  let homeUs = DOWN;
  let homeHasRoom = false;
  let cheapestUs = DOWN;
  let anyUs = DOWN;
  for (let at = from; at < from + LINKS; at++) {
    const transit = links.transit[at] ?? NO_TRANSIT;
    const cost = usable(links.cost[at] ?? 0, transit, capacity);
    if (cost === DOWN) continue;
    anyUs = Math.min(anyUs, cost);
    const room = hasRoom(transit, home, load, capacity);
    if (transit === home) [homeUs, homeHasRoom] = [cost, room];
    if (room) cheapestUs = Math.min(cheapestUs, cost);
  }
  if (anyUs === DOWN) {
    return { transit: NO_TRANSIT, verdict: home === NO_TRANSIT ? 'stay' : 'mustMove', homeUs, choiceUs: DOWN };
  }
  // nobody has room: a leaf that has a home adds nothing by moving
  if (cheapestUs === DOWN && homeUs !== DOWN) return { transit: home, verdict: 'stay', homeUs, choiceUs: homeUs };
  let limitUs = cheapestUs + Math.max(options.nearUs, options.nearRatio * cheapestUs);
  if (homeHasRoom) {
    const winsBelowUs = homeUs - Math.max(options.gainUs, options.gainRatio * homeUs);
    if (cheapestUs > winsBelowUs) return { transit: home, verdict: 'stay', homeUs, choiceUs: homeUs };
    limitUs = Math.min(limitUs, winsBelowUs);
  }
  let choice = NO_TRANSIT;
  let choiceUs = DOWN;
  let best = Number.NEGATIVE_INFINITY;
  for (let at = from; at < from + LINKS; at++) {
    const transit = links.transit[at] ?? NO_TRANSIT;
    const cost = usable(links.cost[at] ?? 0, transit, capacity);
    if (cost === DOWN || (cheapestUs !== DOWN && (cost > limitUs || !hasRoom(transit, home, load, capacity)))) continue;
    const share = 1 - (load[transit] ?? 0) / (capacity[transit] ?? 1);
    // over capacity the share is negative: the least over wins, then the hash
    const score = cheapestUs === DOWN ? share : share * (1 + hashOf(leaf, transit));
    if (score > best || (score === best && transit < choice)) [choice, choiceUs, best] = [transit, cost, score];
  }
  return {
    transit: choice,
    verdict: homeUs === DOWN ? 'mustMove' : choice === home ? 'stay' : 'move',
    homeUs,
    choiceUs,
  };
}

function usable(cost: number, transit: number, capacity: Uint32Array): number {
  return cost === 0 || transit === NO_TRANSIT || (capacity[transit] ?? 0) === 0 ? DOWN : cost;
}

function hasRoom(transit: number, home: number, load: Uint32Array, capacity: Uint32Array): boolean {
  const held = load[transit] ?? 0;
  const most = capacity[transit] ?? 0;
  return transit === home ? held <= most : held < most;
}

/** A number in [0, 1) that is the leaf's own for each transit node: the finalizer of MurmurHash3 over both. */
export function hashOf(leaf: number, transit: number): number {
  let h = Math.imul(leaf ^ Math.imul(transit + 1, 0x9e37_79b1), 0x85eb_ca6b);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  h ^= h >>> 16;
  return (h >>> 0) / 2 ** 32;
}
