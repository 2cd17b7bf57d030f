/**
 * Trees and decisions for all destinations, as far as something has changed: the trees say which of their entries did, and
 * each destination keeps the slots that do not follow its tree. Where there are none, nothing is decided.
 */
import { ThalwegError } from '../protocol/error.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { MoveDecider } from './rib/moves.ts';
import type { KeptTrees } from './spf/kept-trees.ts';
import type { SpfRules } from './spf/spf-tree.ts';
import type { TreeRow } from './spf/tree-row.ts';

/** A destination was looked at; `hasDecided`: what its nodes are to use may have changed. */
export type OnDecision = (node: MeshNode, hasDecided: boolean, reachesAll: () => boolean) => void;

export class PathDecisions {
  readonly #mesh: MeshState;
  readonly #trees: KeptTrees;
  readonly #moves = new MoveDecider();

  constructor(mesh: MeshState, trees: KeptTrees) {
    this.#mesh = mesh;
    this.#trees = trees;
  }

  /** Takes over the graph's last commit, and decides where nodes do not follow their tree or may not be allowed to. */
  refresh(nowMs: number, onDecision: OnDecision): void {
    const frozen = this.#frozen();
    const limited = frozen.map((node) => node.slot);
    this.#noteTreeChanges();
    for (const node of this.#mesh.nodes.values()) {
      const rules = this.#mesh.rulesFor(node, frozen);
      const row = this.#trees.row(node.slot, rules, limited);
      if (row === undefined || node.limited !== null) node.astray = null;
      node.limited = row === undefined ? this.#trees.compute(node.slot, rules) : null;
      this.#decide(node, rules, node.limited ?? row, nowMs, onDecision);
    }
  }

  /** Decides where a hold time is over, by the trees as they are. */
  decideDue(nowMs: number, onDecision: OnDecision): void {
    let frozen: readonly MeshNode[] | null = null;
    for (const node of this.#mesh.nodes.values()) {
      if (node.moveDueMs > nowMs) continue;
      frozen ??= this.#frozen();
      const rules = this.#mesh.rulesFor(node, frozen);
      this.#decide(node, rules, node.limited ?? this.#trees.row(node.slot, rules, []), nowMs, onDecision);
    }
  }

  #frozen(): MeshNode[] {
    return [...this.#mesh.nodes.values()].filter((node) => node.table.frozen);
  }

  /** Puts the entries of the trees that changed among those to look at. */
  #noteTreeChanges(): void {
    const changes = this.#trees.refresh();
    if (changes === null) {
      for (const node of this.#mesh.nodes.values()) node.astray = null;
      return;
    }
    const { root, slot, count, roots, isComplete } = changes;
    for (let i = 0; isComplete && i < count; i++) this.#mesh.find(root[i] ?? 0)?.astray?.push(slot[i] ?? 0);
    for (const at of isComplete ? [] : roots) {
      const node = this.#mesh.find(at);
      if (node !== undefined) node.astray = null;
    }
  }

  #decide(node: MeshNode, rules: SpfRules, tree: TreeRow | undefined, nowMs: number, onDecision: OnDecision): void {
    const { graph, options, links } = this.#mesh;
    if (tree === undefined) throw new ThalwegError('internal', `there is no tree to node ${node.index}`);
    const slots = this.#astrayOf(node, tree);
    for (const peer of links.unsteadyPeers(node.index)) slots.push(graph.slotOf(peer) ?? node.slot);
    node.moveDueMs = Number.POSITIVE_INFINITY;
    if (slots.length === 0) {
      // all nodes follow the tree, and would be left there whatever links cost
      node.timers.clearAll();
    } else {
      const moves = this.#moves;
      const directBand = (slot: number) => this.#mesh.directBand(graph.indexOf(slot), node.index);
      const { timers, slot: root } = node;
      moves.decide({ graph, root, rules, tree, timers, nowMs, options: options.incumbency, directBand }, slots);
      node.moveDueMs = moves.dueMs;
      for (const [i, slot] of moves.slots.entries()) node.rollout.decide(slot, moves.hops[i] ?? -1);
      node.astray = moves.slots.filter((slot) => node.rollout.decided(slot) !== tree.hopOf(slot));
    }
    const isSpread = node.isSpread;
    if (isSpread) {
      node.spread = this.#mesh.usableSpread(node, tree);
      node.rollout.decideSpread(node.spread);
    }
    onDecision(node, slots.length > 0 || isSpread, () => this.#reachesAll(node, tree));
  }

  /** Slots whose decided next hop is not the tree's. */
  #astrayOf(node: MeshNode, tree: TreeRow): number[] {
    const { graph } = this.#mesh;
    const { rollout, astray, slot: root } = node;
    const found: number[] = [];
    for (const slot of astray ?? graph.slots()) {
      if (slot !== root && rollout.decided(slot) !== tree.hopOf(slot) && graph.indexOf(slot) !== 0) found.push(slot);
    }
    node.astray = found.slice();
    return found;
  }

  #reachesAll(node: MeshNode, tree: TreeRow): boolean {
    for (const slot of this.#mesh.graph.slots()) if (slot !== node.slot && tree.hopOf(slot) < 0) return false;
    return true;
  }
}
