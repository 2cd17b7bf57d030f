/** Compares the paths that packets towards one destination take now with what is recorded, and records the changes. */
import type { PathChange } from '../protocol/api.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { samePath } from './rib/path-change-log.ts';
import { explainMove } from './rib/path-explanation.ts';

/**
 * The changes since the last call, in the order of the sources' adding; they are in the log already. Looked at are the
 * sources whose committed path has changed since, and those at `others` (slots; null: all).
 */
export function recordPaths(
  mesh: MeshState,
  to: MeshNode,
  others: Iterable<number> | null,
  nowMs: number,
  toUnixMs: (monoMs: number) => number,
): PathChange[] {
  const moved = movedSources(mesh, to);
  const isLookedAt = moved ?? (others === null ? null : new Uint8Array(mesh.graph.slotCount));
  if (isLookedAt !== null) for (const slot of others ?? []) isLookedAt[slot] = MOVED;
  const changes: PathChange[] = [];
  for (const from of mesh.nodes.values()) {
    if (from === to || (others !== null && isLookedAt?.[from.slot] !== MOVED)) continue;
    const change = recordPath(mesh, from, to, nowMs, toUnixMs);
    if (change !== null) changes.push(change);
  }
  return changes;
}

const UNKNOWN = 0;
const STAYS = 1;
const MOVED = 2;

/** By slot: MOVED where the committed way passes a slot whose next hop has changed; null: none has. */
function movedSources(mesh: MeshState, to: MeshNode): Uint8Array | null {
  const changed = to.rollout.takeChanged();
  if (changed.length === 0) return null;
  const { slotCount } = mesh.graph;
  const { committed } = to.rollout;
  const state = new Uint8Array(slotCount);
  for (const slot of changed) state[slot] = MOVED;
  state[to.slot] = STAYS;
  const way: number[] = [];
  for (let start = 0; start < slotCount; start++) {
    way.length = 0;
    let v = start;
    while (v >= 0 && state[v] === UNKNOWN) {
      way.push(v);
      // whatever is met again on this way is not a slot that moved
      state[v] = STAYS;
      v = committed.main(v);
    }
    if (v >= 0 && state[v] === MOVED) for (const slot of way) state[slot] = MOVED;
  }
  return state;
}

function recordPath(
  mesh: MeshState,
  from: MeshNode,
  to: MeshNode,
  nowMs: number,
  toUnixMs: (monoMs: number) => number,
): PathChange | null {
  const path = mesh.pathSlots(from, to).map((slot) => mesh.graph.indexOf(slot));
  const record = mesh.log.get(from.index, to.index);
  const before = record?.path ?? [];
  if (samePath(before, path)) return null;
  const beforeCostUs = mesh.totalUsOf(before);
  const afterCostUs = mesh.totalUsOf(path);
  const unmeasured =
    before.length === 2 && (mesh.links.get(from.index, to.index)?.filter.health ?? 'unmeasured') === 'unmeasured';
  const { reason, detail } = explainMove({
    before,
    after: path,
    beforeCostUs,
    afterCostUs,
    sinceMs: record?.sinceMs ?? Number.NEGATIVE_INFINITY,
    links: (a, b) => mesh.links.get(a, b),
    name: (index) => mesh.name(index),
    forwards: (index) => {
      const node = mesh.nodes.get(index);
      return node !== undefined && mesh.isUsedAsTransit(node);
    },
    joinedMs: (index) => mesh.nodes.get(index)?.joinedMs ?? Number.NEGATIVE_INFINITY,
    isFirst: record === undefined || unmeasured,
    isSpread: to.isSpread,
  });
  const atMs = toUnixMs(nowMs);
  mesh.log.set(from.index, to.index, { path, sinceMs: nowMs, sinceUnixMs: atMs, reason });
  const names = (indices: readonly number[]) => indices.map((index) => mesh.name(index));
  return mesh.log.append({
    atMs,
    from: from.name,
    to: to.name,
    before: names(before),
    after: names(path),
    reason,
    detail,
    beforeCostUs,
    afterCostUs,
  });
}
