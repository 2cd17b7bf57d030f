/**
 * State of a fleet's core across a restart: the mesh's own bytes (persisted-state.ts, state-journal.ts) and the leaves', as
 * one JSON object. A record of a step has the leaves that the step told something, or moved the rows towards, as they are.
 */
import { z } from 'zod';
import type { HomedLeaves } from './homed-leaves.ts';
import type { LeafMember } from './leaf-member.ts';
import { exportLeaf, type PersistedLeaves, persistedLeaves } from './leaf-snapshot.ts';

const fleetState = z.strictObject({ fleet: z.literal(1), mesh: z.unknown(), leaves: persistedLeaves });

export interface FleetStateParts {
  /** Bytes for the mesh engine. */
  readonly mesh: Uint8Array;
  readonly leaves: PersistedLeaves;
}

export function packFleetState(mesh: Uint8Array, leaves: PersistedLeaves): Uint8Array {
  const text = new TextDecoder().decode(mesh);
  return new TextEncoder().encode(`{"fleet":1,"mesh":${text},"leaves":${JSON.stringify(leaves)}}`);
}

/** Also reads what a mesh engine saved: a core that gets leaves keeps its mesh. Undefined: not readable. */
export function unpackFleetState(bytes: Uint8Array): FleetStateParts | undefined {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  if (!('fleet' in json)) return { mesh: bytes, leaves: [] };
  const parsed = fleetState.safeParse(json);
  if (!parsed.success) return undefined;
  return { mesh: new TextEncoder().encode(JSON.stringify(parsed.data.mesh)), leaves: parsed.data.leaves };
}

/** Null: neither the mesh nor a leaf has anything to note. */
export function packFleetRecord(
  mesh: Uint8Array | null,
  homed: HomedLeaves,
  told: Iterable<LeafMember>,
): Uint8Array | null {
  const leaves = [...told].map((leaf) => exportLeaf(homed, leaf));
  if (mesh === null && leaves.length === 0) return null;
  const text = mesh === null ? 'null' : new TextDecoder().decode(mesh);
  return new TextEncoder().encode(`{"fleet":1,"mesh":${text},"leaves":${JSON.stringify(leaves)}}`);
}

/** The leaves after the records, and the mesh's own records. Undefined: not readable. */
export function bringLeavesForward(
  leaves: PersistedLeaves,
  records: readonly Uint8Array[],
): { readonly leaves: PersistedLeaves; readonly mesh: Uint8Array[] } | undefined {
  const latest = new Map(leaves.map((leaf) => [leaf.index, leaf]));
  const mesh: Uint8Array[] = [];
  for (const record of records) {
    const parts = unpackFleetState(record);
    if (parts === undefined) return undefined;
    for (const leaf of parts.leaves) latest.set(leaf.index, leaf);
    if (new TextDecoder().decode(parts.mesh) !== 'null') mesh.push(parts.mesh);
  }
  return { leaves: [...latest.values()], mesh };
}
