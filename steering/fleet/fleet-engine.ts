/**
 * Steering for a fleet: thousands of transit nodes that forward, and up to a million leaves that hang off them. The same
 * pipeline as steering-engine.ts, with tables that are made while they are sent:
 *
 *   report of a transit pair   link-state/ -> graph -> trees -> changed (root, vertex) -> rib/transit-tables.ts -> deltas
 *   report of a leaf           leaf/leaf-links.ts -> leaf-homes.ts -> its row at others -> transit-tables.ts -> deltas
 *                                                                  -> its own table    -> leaf-tables.ts    -> delta
 *
 * Pure: events and a monotonic `nowMs` go in, bytes of RouteDelta messages come out of `step`, in a fixed order.
 * Nodes are named by their index; transit nodes alone have a slot in the graph.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { BlockTables } from '../aggregation/block-tables.ts';
import type { CsrGraph } from '../graph/csr-graph.ts';
import { chooseAttachment } from '../leaf/attachment.ts';
import { LeafHomes } from '../leaf/leaf-homes.ts';
import { NO_TRANSIT } from '../leaf/leaf-links.ts';
import { LeafTables } from '../leaf/leaf-tables.ts';
import { HomeBlocks } from '../registry/home-blocks.ts';
import { type DeltaSink, DeltaStream } from '../rib/delta-stream.ts';
import { EntryList } from '../rib/entry-list.ts';
import { TransitTables, type TransitTrees } from '../rib/transit-tables.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import { type FleetCounters, FleetLinks, type LeafNews } from './fleet-links.ts';
import { FleetNodes } from './fleet-nodes.ts';
import { type FleetOptions, fleetOptions } from './fleet-options.ts';

/** What a refresh of the trees changed: entries whose next hop changed, or rows only when they are too many. */
export interface TreeChanges {
  readonly roots: readonly number[];
  readonly root: Int32Array;
  readonly slot: Int32Array;
  readonly count: number;
  readonly isComplete: boolean;
}

/** Trees of paths to every transit node, over `graph.into`. */
export interface FleetTrees extends TransitTrees {
  /** Brings them up to the graph's last commit. */
  refresh(): TreeChanges;
}

export interface FleetEngineDeps {
  readonly graph: CsrGraph;
  readonly trees: FleetTrees;
}

/** A link that a leaf measured while it joined. */
export interface LeafCandidate {
  /** Node index of the transit node. */
  readonly transit: number;
  /** Whole microseconds. */
  readonly costUs: number;
}

export class FleetEngine {
  readonly blocks: HomeBlocks;
  readonly homes: LeafHomes;
  readonly stream: DeltaStream;
  readonly transitTables: TransitTables;
  readonly leafTables: LeafTables;
  readonly #deps: FleetEngineDeps;
  readonly #options: FleetOptions;
  readonly #nodes: FleetNodes;
  readonly #links: FleetLinks;
  readonly #blockTables: BlockTables;
  readonly #grownHomes = new Set<number>();
  readonly #dirtyLeaves = new Set<number>();
  readonly #leafChanged: LeafNews = (leaf, nowMs) => {
    this.homes.review(leaf, nowMs);
    this.#dirtyLeaves.add(leaf);
  };
  readonly #entries = new EntryList();
  #sweptMs: number | null = null;
  #swept = 0;

  constructor(deps: FleetEngineDeps, partial: Partial<FleetOptions> = {}) {
    const { graph, trees } = deps;
    const options = fleetOptions(partial);
    this.#deps = deps;
    this.#options = options;
    this.blocks = new HomeBlocks(options.blocks);
    const capacity = 2 ** options.blocks.bits;
    this.#nodes = new FleetNodes(capacity);
    this.#links = new FleetLinks(this.#nodes, graph, options);
    this.homes = new LeafHomes(this.#links.leafLinks, options.leafHomes);
    this.stream = new DeltaStream(capacity, Number(options.steering.firstGeneration));
    const { blocks, stream, homes } = this;
    this.#blockTables = new BlockTables(blocks);
    this.transitTables = new TransitTables({ graph, trees, blocks, blockTables: this.#blockTables, stream }, capacity);
    const leafDeps = { graph, trees, blocks, links: this.#links.leafLinks, home: homes.home };
    this.leafTables = new LeafTables(leafDeps, options.leafTables);
  }

  get counters(): FleetCounters {
    return this.#links.counters;
  }

  get leafCount(): number {
    return this.#nodes.leafCount;
  }

  // ---- events

  /**
   * Adds a transit node and returns its index, the first of its block. `near`: index of the closest transit node, or 0:
   * blocks of neighbours that lie beside each other make shorter tables far away. Throws addresses_exhausted.
   */
  addTransit(capacity: number, near: number, nowMs: number): number {
    const { graph } = this.#deps;
    const slot = graph.slotCount;
    this.blocks.addHome(slot, near);
    const index = this.blocks.takeIndex(slot);
    if (index === undefined || this.blocks.ownerOf(index) !== slot) throw exhausted(this.#nodes.capacity);
    if (graph.addNode(index, true) !== slot) {
      throw new ThalwegError('internal', `transit node ${index} did not get slot ${slot} of the graph`);
    }
    this.#nodes.add(index, 'transit');
    this.homes.pin(index, slot);
    this.homes.setCapacity(slot, capacity, nowMs);
    this.transitTables.placeLeaves([index], this.homes.home);
    this.#grownHomes.add(slot);
    return index;
  }

  /**
   * Adds a leaf by what it measured while it joined, at most LINKS links, and returns its index: in a block of its first
   * home, if that has room. Without a link it gets an index and waits. Throws addresses_exhausted.
   */
  addLeaf(candidates: readonly LeafCandidate[], nowMs: number): number {
    // index 0 is nobody's: its row of links is where a newcomer is looked at
    const home = this.#tryLinks(0, candidates) ? this.#firstHome() : NO_TRANSIT;
    this.#links.leafLinks.closeAll(0);
    const before = this.blocks.claimed;
    const index = this.blocks.takeIndex(home);
    if (index === undefined) throw exhausted(this.#nodes.capacity);
    // a leaf without a home, or one whose home can get no block, makes another home grow
    if (this.blocks.claimed > before) this.#grownHomes.add(this.blocks.ownerOf(index));
    this.#nodes.add(index, 'leaf');
    this.#tryLinks(index, candidates);
    if (home !== NO_TRANSIT) this.homes.place(index, home);
    this.homes.review(index, nowMs);
    this.#dirtyLeaves.add(index);
    return index;
  }

  /** The leaf is gone for good. Its index may be released (blocks.release) when it has rested. */
  removeLeaf(index: number): void {
    if (this.#nodes.kindOf(index) !== 'leaf') return;
    this.#links.leafLinks.closeAll(index);
    this.homes.remove(index);
    this.#nodes.removeLeaf(index);
    this.leafTables.setDemands(index, []);
    this.#dirtyLeaves.delete(index);
    this.leafTables.forget(index);
    this.stream.forget(index);
  }

  /** The session plan lets two nodes talk. False: they do already, or may not (two leaves, a leaf with LINKS others). */
  openSession(a: number, b: number): boolean {
    return this.#links.open(a, b);
  }

  closeSession(a: number, b: number, nowMs: number): boolean {
    return this.#links.close(a, b, nowMs, this.#leafChanged);
  }

  /** Takes one measured link. False: it was not believed, and counted, or it changed nothing. */
  reportLink(from: number, observation: LinkObservation, nowMs: number): boolean {
    return this.#links.report(from, observation, nowMs, this.#leafChanged);
  }

  /** What a leaf sends most to, busiest first. */
  reportDemand(leaf: number, destinations: readonly number[]): void {
    if (this.#nodes.kindOf(leaf) !== 'leaf') return;
    this.leafTables.setDemands(
      leaf,
      destinations.filter((index) => this.#nodes.kindOf(index) !== undefined),
    );
    this.#dirtyLeaves.add(leaf);
  }

  /** Leaves that a transit node may hold from now on; 0: none, and those it holds leave it. */
  setCapacity(transit: number, leaves: number, nowMs: number): void {
    const slot = this.#links.slotOf(transit);
    if (slot !== NO_TRANSIT) this.homes.setCapacity(slot, leaves, nowMs);
  }

  // ---- work

  /** Computes and sends the tables of all nodes, each as a full delta. Before the first `step`. */
  start(nowMs: number, sink: DeltaSink): void {
    const { graph, trees } = this.#deps;
    this.#links.takeChanged(nowMs);
    graph.commit();
    trees.refresh();
    this.#grownHomes.clear();
    this.#dirtyLeaves.clear();
    this.homes.takeChanged();
    this.transitTables.placeLeaves(this.#nodes.leaves(), this.homes.home);
    for (const slot of graph.slots()) this.transitTables.sendWhole(slot, sink);
    for (const leaf of this.#nodes.leaves()) this.#sendLeaf(leaf, true, sink);
  }

  /** Takes what happened since the last step to the tables: a delta for each node whose table changed. */
  step(nowMs: number, sink: DeltaSink): void {
    const { graph } = this.#deps;
    this.homes.tick(nowMs);
    this.#links.takeChanged(nowMs);
    // paths first: they make room for new transit nodes
    if (graph.commit()) this.#refreshTrees();
    // a list that keeps growing is emptied: more than every entry cannot have changed
    const most = this.#entries.size > graph.nodeCount ** 2 ? Number.POSITIVE_INFINITY : this.#options.nextHopsPerStep;
    this.transitTables.followPaths(this.#entries, most, sink);
    this.transitTables.growBlocks(this.#grownHomes, sink);
    this.#grownHomes.clear();
    const moved = this.homes.takeChanged();
    this.transitTables.moveLeaves(moved, this.homes.home, sink);
    for (const leaf of moved) if (this.#nodes.kindOf(leaf) === 'leaf') this.#dirtyLeaves.add(leaf);
    this.#sweep(nowMs);
    for (const leaf of [...this.#dirtyLeaves].sort((a, b) => a - b)) this.#sendLeaf(leaf, false, sink);
    this.#dirtyLeaves.clear();
  }

  /** Sends a node its whole table: it asked, or holds another than it should. */
  sendWhole(index: number, sink: DeltaSink): void {
    const kind = this.#nodes.kindOf(index);
    if (kind === 'leaf') this.#sendLeaf(index, true, sink);
    // a transit node that the trees do not know yet gets its table with the next step
    const slot = this.#links.slotOf(index);
    if (kind === 'transit' && slot < this.#deps.trees.table.capacity) this.transitTables.sendWhole(slot, sink);
  }

  /** Changed next hops of transit nodes are left for the next steps. */
  get isBehind(): boolean {
    return this.#entries.size > 0;
  }

  /** When `step` has work without further events. */
  get dueMs(): number {
    if (this.isBehind) return Number.NEGATIVE_INFINITY;
    return Math.min(this.homes.dueMs, this.#links.dueMs);
  }

  // ---- stages

  #sendLeaf(leaf: number, full: boolean, sink: DeltaSink): void {
    this.stream.open(leaf, false, full);
    this.leafTables.write(leaf, full, this.stream);
    this.stream.close(sink);
  }

  #refreshTrees(): void {
    const { graph, trees } = this.#deps;
    const { roots, root, slot, count, isComplete } = trees.refresh();
    this.#entries.makeRoom(trees.table.capacity);
    const entries = this.#entries;
    if (isComplete) {
      for (let i = 0; i < count; i++) entries.add(root[i] ?? 0, slot[i] ?? 0);
    } else {
      for (const r of roots) for (const vertex of graph.slots()) entries.add(r, vertex);
    }
  }

  /** Puts the next of all leaves among those whose tables are looked at. */
  #sweep(nowMs: number): void {
    const sinceMs = nowMs - (this.#sweptMs ?? nowMs);
    this.#sweptMs = nowMs;
    const share = Math.min(this.#nodes.leafCount, (this.#options.sweepPerSecond * sinceMs) / 1_000);
    const most = this.#nodes.capacity;
    for (let looked = 0, found = 0; found < share && looked < most; looked++) {
      this.#swept = (this.#swept + 1) % most;
      if (this.#nodes.kindOf(this.#swept) !== 'leaf') continue;
      found++;
      this.#dirtyLeaves.add(this.#swept);
    }
  }

  /** Opens and measures the links of a newcomer. True when one of them is good. */
  #tryLinks(leaf: number, candidates: readonly LeafCandidate[]): boolean {
    let any = false;
    for (const { transit, costUs } of candidates) {
      const slot = this.#links.slotOf(transit);
      if (!this.#links.leafLinks.open(leaf, slot)) continue;
      if (this.#links.leafLinks.report(leaf, slot, 'leaf', costUs)) any = true;
    }
    return any;
  }

  #firstHome(): number {
    return chooseAttachment(this.#links.leafLinks, 0, NO_TRANSIT, this.homes, this.#options.leafHomes.attachment)
      .transit;
  }
}

function exhausted(indices: number): ThalwegError {
  return new ThalwegError('addresses_exhausted', `all ${indices} node indices of the ranges are held`, {
    fields: { indices },
    nextStep: 'Remove nodes that are gone, or start a second mesh',
  });
}
