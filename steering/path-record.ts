/** Compares the paths that packets towards one destination take now with what is recorded, and records the changes. */
import type { PathChange } from '../protocol/api.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { samePath } from './rib/path-change-log.ts';
import { explainMove } from './rib/path-explanation.ts';

/** The changes since the last call, in the order of the sources' adding; they are in the log already. */
export function recordPaths(
  mesh: MeshState,
  to: MeshNode,
  nowMs: number,
  toUnixMs: (monoMs: number) => number,
): PathChange[] {
  const changes: PathChange[] = [];
  for (const from of mesh.nodes.values()) {
    if (from === to) continue;
    const path = mesh.pathSlots(from, to).map((slot) => mesh.graph.indexOf(slot));
    const record = mesh.log.get(from.index, to.index);
    const before = record?.path ?? [];
    if (samePath(before, path)) continue;
    const beforeCostUs = mesh.costOf(before)?.totalUs ?? null;
    const afterCostUs = mesh.costOf(path)?.totalUs ?? null;
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
        return node?.transit === true && !node.left;
      },
      joinedMs: (index) => mesh.nodes.get(index)?.joinedMs ?? Number.NEGATIVE_INFINITY,
      isFirst: record === undefined || unmeasured,
    });
    const atMs = toUnixMs(nowMs);
    mesh.log.set(from.index, to.index, { path, sinceMs: nowMs, sinceUnixMs: atMs, reason });
    const names = (indices: readonly number[]) => indices.map((index) => mesh.name(index));
    changes.push(
      mesh.log.append({
        atMs,
        from: from.name,
        to: to.name,
        before: names(before),
        after: names(path),
        reason,
        detail,
        beforeCostUs,
        afterCostUs,
      }),
    );
  }
  return changes;
}
