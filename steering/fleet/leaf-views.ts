/** What people see of leaves: their links, their homes and the paths from and to them. Reads, changes nothing. */
import type { CostTerms, LinkView, PathExplanation, PathView } from '../../protocol/api.ts';
import { linkCost, NO_COST, pathCost } from '../link-state/link-cost.ts';
import type { MeshState } from '../mesh-state.ts';
import { msText } from '../rib/path-explanation.ts';
import type { LeafBook } from './leaf-book.ts';
import { type LeafMember, type LinkWord, rttOf } from './leaf-member.ts';

export interface LeafViewDeps {
  readonly mesh: MeshState;
  readonly book: LeafBook;
  readonly toUnixMs: (monoMs: number) => number;
}

/** Paths of more pairs than this are not listed, but can be asked for one by one: 500 nodes. */
const MAX_LISTED_PAIRS = 250_000;

/** Both directions of every session of a leaf. */
export function leafLinkViews({ mesh, book, toUnixMs }: LeafViewDeps): LinkView[] {
  return [...book.leaves.values()].flatMap((leaf) =>
    [...leaf.links].flatMap(([transit, { own, theirs }]) => {
      const cost = linkTerms(mesh, book, leaf, transit);
      const demand = leaf.demands.find((demanded) => demanded.peerIndex === transit)?.bytesPerSecond;
      const view = (from: string, to: string, word: LinkWord | null, bytes: number | undefined): LinkView => ({
        from,
        to,
        role: 'planned',
        health: word?.observation.health ?? 'unmeasured',
        rttUs: word?.observation.rttUs ?? null,
        minRttUs: word?.observation.minRttUs ?? null,
        jitterUs: word?.observation.jitterUs ?? null,
        lossOutPpm: word?.observation.lossOutPpm ?? null,
        lossInPpm: word?.observation.lossInPpm ?? null,
        handshakeAgeS: word?.observation.handshakeAgeS ?? null,
        cost,
        updatedAtMs: word === null ? null : toUnixMs(word.atMs),
        demandBps: bytes === undefined ? null : bytes * 8,
        carriedBps: null,
        capacityBps: null,
        utilisation: null,
      });
      return [view(leaf.name, mesh.name(transit), own, demand), view(mesh.name(transit), leaf.name, theirs, undefined)];
    }),
  );
}

/** Paths of all ordered pairs with a leaf at one end or both; [] where they are too many to list. */
export function leafPathViews(deps: LeafViewDeps): PathView[] {
  const { mesh, book } = deps;
  const all = [...mesh.nodes.keys(), ...book.leaves.keys()].sort((a, b) => a - b);
  if (all.length * (all.length - 1) > MAX_LISTED_PAIRS) return [];
  return all.flatMap((from) =>
    all.flatMap((to) =>
      from === to || !(book.leaves.has(from) || book.leaves.has(to)) ? [] : [leafPathView(deps, from, to)],
    ),
  );
}

export function explainLeafPath(deps: LeafViewDeps, from: number, to: number): PathExplanation {
  const { mesh, book } = deps;
  const { path, firstIsException } = pathOf(deps, from, to);
  const terms = termsOf(deps, path);
  const names = (indices: readonly number[]) => indices.map((index) => nameOf(deps, index));
  const hops =
    terms === null
      ? []
      : terms.map((cost, i) => ({ from: nameOf(deps, path[i] ?? 0), to: nameOf(deps, path[i + 1] ?? 0), cost }));
  const view = leafPathView(deps, from, to);
  const ends = [from, to].filter((index) => book.leaves.has(index)).map((index) => nameOf(deps, index));
  const moves = mesh.log.after(0).filter((change) => ends.includes(change.from));
  return {
    ...view,
    hops,
    runnerUp: runnerUp(deps, from, to, path, view.cost, firstIsException, names),
    // a leaf has one home: load is spread between transit nodes
    split: null,
    recentChanges: moves.slice(-10).reverse(),
  };
}

function leafPathView(deps: LeafViewDeps, from: number, to: number): PathView {
  const { mesh, book, toUnixMs } = deps;
  const { path } = pathOf(deps, from, to);
  const leaf = book.leaves.get(from) ?? book.leaves.get(to);
  const terms = termsOf(deps, path);
  const other = leaf?.index === from ? to : from;
  const words = leaf?.links.get(other);
  const rtts = path.slice(1).map((index, i) => linkRttUs(deps, path[i] ?? 0, index));
  const first = book.leaves.get(from);
  const last = book.leaves.get(to);
  const slots = path.filter((index) => !book.leaves.has(index)).map((index) => mesh.graph.slotOf(index) ?? -1);
  const towards = last?.rollout ?? mesh.nodes.get(to)?.rollout;
  const installed =
    path.length > 1 &&
    (first?.table.converged ?? true) &&
    (slots.length === 0 || towards?.isInstalled(slots) !== false);
  return {
    from: nameOf(deps, from),
    to: nameOf(deps, to),
    path: path.map((index) => nameOf(deps, index)),
    kind: path.length === 0 ? 'unreachable' : path.length === 2 ? 'direct' : 'detour',
    rttUs: rtts.length === 0 || rtts.includes(null) ? null : rtts.reduce<number>((sum, rttUs) => sum + (rttUs ?? 0), 0),
    directRttUs: words === undefined ? null : rttOf(words),
    cost: terms === null ? null : pathCost(terms, mesh.options.cost),
    sinceMs: toUnixMs(Math.max(first?.homeSinceMs ?? 0, last?.homeSinceMs ?? 0)),
    reason: path.length === 0 ? 'unreachable' : 'first_path',
    installed,
  };
}

/** Node indices from source to destination; []: none. */
function pathOf(deps: LeafViewDeps, from: number, to: number): { path: number[]; firstIsException: boolean } {
  const { book } = deps;
  const none = { path: [], firstIsException: false };
  const source = book.leaves.get(from);
  const target = book.leaves.get(to);
  const way = source?.exceptions.get(to);
  const firstIsException = way !== undefined && way !== book.homeOf(from);
  const enters = source === undefined ? from : (way ?? book.homeOf(from));
  const leaves = target === undefined ? to : book.homeOf(to);
  if (enters === undefined || leaves === undefined) return none;
  if (source?.everConnected === false || target?.everConnected === false) return none;
  const middle = transitPath(deps, enters, leaves);
  if (middle === undefined) return none;
  const path = [...(source === undefined ? [] : [from]), ...middle, ...(target === undefined ? [] : [to])];
  return { path, firstIsException };
}

function transitPath({ mesh }: LeafViewDeps, from: number, to: number): number[] | undefined {
  if (from === to) return [from];
  const [a, b] = [mesh.nodes.get(from), mesh.nodes.get(to)];
  if (a === undefined || b === undefined) return undefined;
  const slots = mesh.pathSlots(a, b);
  return slots.length === 0 ? undefined : slots.map((slot) => mesh.graph.indexOf(slot));
}

function termsOf({ mesh, book }: LeafViewDeps, path: readonly number[]): CostTerms[] | null {
  const terms: CostTerms[] = [];
  for (let i = 1; i < path.length; i++) {
    const [a, b] = [path[i - 1] ?? 0, path[i] ?? 0];
    const leaf = book.leaves.get(a) ?? book.leaves.get(b);
    const found =
      leaf === undefined
        ? (mesh.links.get(a, b)?.filter.effective ?? null)
        : linkTerms(mesh, book, leaf, leaf.index === a ? b : a);
    if (found === null) return null;
    terms.push(found);
  }
  return terms.length === 0 ? null : terms;
}

/** Terms of a leaf's link: those that its ends tell, scaled to the cost that counts. */
function linkTerms(mesh: MeshState, book: LeafBook, leaf: LeafMember, transit: number): CostTerms | null {
  const totalUs = book.costUs(leaf, transit);
  const words = leaf.links.get(transit);
  if (totalUs === null || words === undefined) return null;
  const rttUs = rttOf(words);
  if (rttUs === null) return { ...NO_COST, rttUs: totalUs, totalUs };
  const rtt = linkCost({ rttUs, jitterUs: null, lossPpm: null, loadUs: 0 }, mesh.options.cost).rttUs;
  // what is not the RTT of the moment: loss and jitter, and what the dead band holds
  return { ...NO_COST, rttUs: Math.min(rtt, totalUs), lossUs: Math.max(0, totalUs - rtt), totalUs };
}

function linkRttUs({ mesh, book }: LeafViewDeps, a: number, b: number): number | null {
  const leaf = book.leaves.get(a) ?? book.leaves.get(b);
  if (leaf === undefined) return mesh.links.get(a, b)?.rttUs ?? null;
  const words = leaf.links.get(leaf.index === a ? b : a);
  return words === undefined ? null : rttOf(words);
}

/** The path by the leaf's next best transit node. */
function runnerUp(
  deps: LeafViewDeps,
  from: number,
  to: number,
  path: readonly number[],
  chosen: CostTerms | null,
  firstIsException: boolean,
  names: (indices: readonly number[]) => string[],
): PathExplanation['runnerUp'] {
  const { book, mesh } = deps;
  const sends = book.leaves.get(from);
  const leaf = sends ?? book.leaves.get(to);
  if (leaf === undefined || chosen === null) return null;
  const used = sends === undefined ? path.at(-2) : path[1];
  const far = sends === undefined ? from : (book.homeOf(to) ?? to);
  let best: { path: number[]; cost: CostTerms } | undefined;
  for (const transit of leaf.links.keys()) {
    if (transit === used) continue;
    const middle = sends === undefined ? transitPath(deps, far, transit) : transitPath(deps, transit, far);
    if (middle === undefined) continue;
    const other =
      sends === undefined
        ? [...(book.leaves.has(from) ? [from] : []), ...middle, to]
        : [from, ...middle, ...(book.leaves.has(to) ? [to] : [])];
    const terms = termsOf(deps, other);
    if (terms === null) continue;
    const cost = pathCost(terms, mesh.options.cost);
    if (best === undefined || cost.totalUs < best.cost.totalUs) best = { path: other, cost };
  }
  if (best === undefined) return null;
  const behindUs = best.cost.totalUs - chosen.totalUs;
  const home = book.homeOf(leaf.index);
  const role = firstIsException ? 'an exception to its home' : 'its home';
  const whyNot =
    behindUs >= 0
      ? `costs ${msText(behindUs)} more; ${leaf.name} uses ${mesh.name(used ?? home ?? 0)}, ${role}`
      : `better by ${msText(-behindUs)} for this pair; ${leaf.name} keeps ${mesh.name(used ?? home ?? 0)}, ${role}, unless a link of its own is better by more than noise`;
  return { path: names(best.path), cost: best.cost, behindUs, whyNot };
}

function nameOf({ mesh, book }: LeafViewDeps, index: number): string {
  return book.leaves.get(index)?.name ?? mesh.name(index);
}
