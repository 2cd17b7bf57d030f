/** State of a fleet's core across a restart: the mesh's own bytes (persisted-state.ts) and the leaves', as one JSON object. */
import { z } from 'zod';
import type { HomedLeaves } from './homed-leaves.ts';
import { exportLeaves, type PersistedLeaves, persistedLeaves } from './leaf-snapshot.ts';

const fleetState = z.strictObject({ fleet: z.literal(1), mesh: z.unknown(), leaves: persistedLeaves });

export interface FleetStateParts {
  /** Bytes for the mesh engine. */
  readonly mesh: Uint8Array;
  readonly leaves: PersistedLeaves;
}

export function packFleetState(mesh: Uint8Array, homed: HomedLeaves): Uint8Array {
  const text = new TextDecoder().decode(mesh);
  return new TextEncoder().encode(`{"fleet":1,"mesh":${text},"leaves":${JSON.stringify(exportLeaves(homed))}}`);
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
