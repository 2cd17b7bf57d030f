/** The mesh as a value to keep across a restart of the core, and back. */
import type { PathChangeReason } from '../protocol/api.ts';
import type { RouteDelta } from '../protocol/route-table.ts';
import type { LinkEnd } from './link-state/link-state.ts';
import type { MeshNode, MeshState } from './mesh-state.ts';
import { type PersistedState, packDelta, packRow, unpackDelta, unpackRow } from './persisted-state.ts';
import { HopChoice, spreadBySlot } from './rib/hop-choice.ts';
import type { StepRecord } from './state-journal.ts';

export function exportMesh(mesh: MeshState, generation: bigint): PersistedState {
  const nodes = [...mesh.nodes.values()].sort((a, b) => a.index - b.index);
  return {
    version: 1,
    generation: generation.toString(),
    nodes: nodes.map(({ index, table }) => {
      const held = table.export();
      return {
        index,
        known: held.known,
        generation: held.generation.toString(),
        rows: held.rows.map(packRow),
        inFlight: held.inFlight === null ? null : packDelta(held.inFlight),
      };
    }),
    destinations: nodes.map((node) => exportDestination(mesh, nodes, node)),
    paths: nodes.flatMap((from) =>
      nodes.flatMap((to) => {
        const record = mesh.log.get(from.index, to.index);
        if (record === undefined) return [];
        const { path, sinceUnixMs, reason } = record;
        return [{ from: from.index, to: to.index, path: [...path], sinceUnixMs, reason }];
      }),
    ),
    links: [...mesh.links.all()].flatMap((link) => [
      ...packEnd(link.low, link.lowEnd),
      ...packEnd(link.high, link.highEnd),
    ]),
  };
}

/** What a step is about to do, for the journal: these deltas, to these nodes, and these destinations' sources moved. */
export function exportStep(
  mesh: MeshState,
  generation: bigint,
  deltas: readonly (readonly [number, RouteDelta])[],
  moved: Iterable<MeshNode>,
): StepRecord {
  const nodes = [...mesh.nodes.values()];
  return {
    generation: generation.toString(),
    deltas: deltas.map(([index, delta]): StepRecord['deltas'][number] => [index, packDelta(delta)]),
    destinations: [...moved].map((node) => exportDestination(mesh, nodes, node)),
  };
}

function exportDestination(
  { graph }: MeshState,
  nodes: readonly MeshNode[],
  { index, rollout }: MeshNode,
): PersistedState['destinations'][number] {
  return {
    index,
    plane: rollout.plane,
    nextHops: nodes.flatMap(({ slot, index: from }): [number, number][] => {
      const hop = rollout.committed.nextHop(slot);
      return hop < 0 ? [] : [[from, graph.indexOf(hop)]];
    }),
    spread: [...rollout.committed.spread].map(([slot, members]): [number, [number, number][]] => [
      graph.indexOf(slot),
      members.map((m) => [graph.indexOf(m.slot), m.weight]),
    ]),
  };
}

function packEnd(from: number, end: LinkEnd | null): PersistedState['links'] {
  if (end === null || end.observation.health === 'unmeasured') return [];
  const o = end.observation;
  const health = o.health === 'up' ? 1 : 2;
  return [[from, o.peerIndex, health, o.rttUs, o.minRttUs, o.jitterUs, o.lossOutPpm, o.lossInPpm, o.handshakeAgeS]];
}

/** Puts a snapshot into a mesh that has its nodes and nothing else yet. What names unknown nodes is left out. */
export function importMesh(
  mesh: MeshState,
  state: PersistedState,
  nowMs: number,
  toUnixMs: (monoMs: number) => number,
): void {
  const { nodes, destinations, paths, links } = state;
  for (const { index, known, generation: held, rows, inFlight } of nodes) {
    const node = mesh.nodes.get(index);
    if (node === undefined) continue;
    node.table.import(BigInt(held), rows.map(unpackRow), known, unpackDelta(inFlight));
    node.everConnected = rows.length > 0;
  }
  for (const { index, plane, nextHops, spread } of destinations) {
    const node = mesh.nodes.get(index);
    if (node === undefined) continue;
    const committed = new Int32Array(mesh.graph.slotCount).fill(-1);
    for (const [from, hop] of nextHops) {
      const slot = mesh.graph.slotOf(from);
      const hopSlot = mesh.graph.slotOf(hop);
      if (slot !== undefined && hopSlot !== undefined) committed[slot] = hopSlot;
    }
    node.spread = spreadBySlot(
      mesh.graph,
      spread.map(([from, group]) => [from, group.map(([neighbour, weight]) => ({ neighbour, weight }))]),
    );
    node.rollout.import(plane, new HopChoice(committed, node.spread), nowMs);
  }
  for (const { from, to, path, sinceUnixMs, reason } of paths) {
    if (![from, to, ...path].every((index) => mesh.nodes.has(index))) continue;
    const sinceMs = nowMs - (toUnixMs(nowMs) - sinceUnixMs);
    mesh.log.set(from, to, { path, sinceMs, sinceUnixMs, reason: reason as PathChangeReason });
  }
  for (const [from, peerIndex, health, rttUs, minRttUs, jitterUs, lossOutPpm, lossInPpm, handshakeAgeS] of links) {
    const measured = { rttUs, minRttUs, jitterUs, lossOutPpm, lossInPpm, handshakeAgeS };
    const observation = { peerIndex, health: health === 1 ? ('up' as const) : ('down' as const), ...measured };
    if (mesh.roles.of(from, peerIndex) === 'none') continue;
    if (mesh.nodes.has(from)) mesh.links.report(from, observation, (peer) => mesh.nodes.has(peer), nowMs);
  }
}
