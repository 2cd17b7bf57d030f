/** Leaves that all connect in the same moment. Transit nodes have indices from 1, leaves follow. */
import { FleetSteeringEngine } from '../../../steering/fleet/fleet-steering-engine.ts';

const TRANSIT = 8;

export function storm({ transit, leaves }: { readonly transit: number; readonly leaves: number }): FleetSteeringEngine {
  const engine = new FleetSteeringEngine(
    { toUnixMs: (ms) => ms, stopwatchMs: () => 0 },
    { maxIndex: 4_094 },
    { warmUpMs: 0 },
  );
  const join = (index: number, isTransit: boolean) => {
    engine.upsertNode({ index, name: `n${index}`, transit: isTransit, leafCapacity: isTransit ? 4_000 : 0 }, 0);
    engine.nodeConnected(index, 0n, 0n, 0);
  };
  for (let index = 1; index <= transit; index++) join(index, true);
  for (let index = 1; index <= leaves; index++) join(transit + index, false);
  engine.step(0);
  return engine;
}

/** How many sessions each leaf of a storm with eight transit nodes holds. */
export function leafSessionsOf(engine: FleetSteeringEngine, leaves: number): number[] {
  return Array.from({ length: leaves }, (_, i) => engine.sessionPeers(TRANSIT + 1 + i).size);
}
