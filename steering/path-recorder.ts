/** Which recorded paths may not be those that packets take any more, and bringing them up to date. */
import type { PathChange } from '../protocol/api.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { recordPaths } from './path-record.ts';

export class PathRecorder {
  readonly #mesh: MeshState;
  readonly #toUnixMs: (monoMs: number) => number;
  /** Destinations whose paths must be compared with what is recorded. */
  readonly #destinations = new Set<MeshNode>();
  /** Nodes that had their first session since paths were recorded last. */
  readonly #arrived = new Set<MeshNode>();
  /** By destination: slots that may have no path but the direct link, whose state has changed. */
  readonly #lastResorts = new Map<MeshNode, Set<number>>();

  constructor(mesh: MeshState, toUnixMs: (monoMs: number) => number) {
    this.#mesh = mesh;
    this.#toUnixMs = toUnixMs;
  }

  /** The paths to the node are to be recorded with the next `record`. */
  note(node: MeshNode): void {
    this.#destinations.add(node);
  }

  /** The node had its first session: from and to it there are paths. */
  noteArrival(node: MeshNode): void {
    this.#arrived.add(node);
    for (const other of this.#mesh.nodes.values()) this.#destinations.add(other);
  }

  /** The link between two slots changed: one that has no other path to the other may be without. */
  noteLink(a: number, b: number): void {
    for (const [slot, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const node = this.#mesh.at(to);
      const slots = this.#lastResorts.get(node) ?? new Set<number>();
      this.#lastResorts.set(node, slots.add(slot));
    }
  }

  /** The node is being removed. */
  forget(node: MeshNode): void {
    this.#destinations.delete(node);
    this.#arrived.delete(node);
    this.#lastResorts.delete(node);
    for (const slots of this.#lastResorts.values()) slots.delete(node.slot);
  }

  /** Recorded paths to the node may not be those that packets take. */
  isStale(node: MeshNode): boolean {
    return node.rollout.hasChanged || this.#lastResorts.has(node);
  }

  /** Records the paths to the destinations noted; the changes. */
  record(nowMs: number): PathChange[] {
    const changes: PathChange[] = [];
    const arrived = [...this.#arrived].map((node) => node.slot);
    for (const node of this.#destinations) {
      const lastResorts = this.#lastResorts.get(node) ?? [];
      const others = this.#arrived.has(node) ? null : [...arrived, ...lastResorts];
      for (const change of recordPaths(this.#mesh, node, others, nowMs, this.#toUnixMs)) changes.push(change);
      this.#lastResorts.delete(node);
    }
    this.#destinations.clear();
    this.#arrived.clear();
    for (const [node, slots] of this.#lastResorts) {
      for (const slot of slots) if (node.rollout.committed.main(slot) >= 0) slots.delete(slot);
      if (slots.size === 0) this.#lastResorts.delete(node);
    }
    return changes;
  }
}
