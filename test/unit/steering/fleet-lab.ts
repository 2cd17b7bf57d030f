/** A mesh with leaves in memory: like SteeringLab, with sessions that the engine opens, the uplink and rows of blocks. */
import type { RouteRow, TableKind } from '../../../protocol/route-table.ts';
import { FleetSteeringEngine } from '../../../steering/fleet/fleet-steering-engine.ts';
import type { SteeringDeps } from '../../../steering/steering-engine.ts';
import type { SteeringEngine } from '../../../steering/steering-engine-port.ts';
import type { PartialSteeringOptions } from '../../../steering/steering-options.ts';
import { SteeringLab, type Trace } from './steering-lab.ts';

/** Indices 1 to 254: tables are easy to read and arrays small. */
export const BITS = 8;

export class FleetLab extends SteeringLab {
  readonly #reported = new Set<string>();

  protected override makeEngine(deps: SteeringDeps, options: PartialSteeringOptions): SteeringEngine {
    return new FleetSteeringEngine(deps, { maxIndex: 2 ** BITS - 2 }, options);
  }

  /** Steps until nothing is left to do; new sessions are measured by both ends at once. */
  override settle(): void {
    super.settle();
    for (const node of this.nodes.values()) {
      const peers = this.engine.sessionPeers?.(node.index) ?? new Set<number>();
      for (const other of this.nodes.keys()) {
        const key = `${node.index} ${other}`;
        if (!peers.has(other)) this.#reported.delete(key);
        else if (!this.#reported.has(key) && this.isUp(node.index, other)) {
          this.#reported.add(key);
          this.report(node.index, other);
        }
      }
    }
  }

  protected override report(from: number, to: number): void {
    // an agent probes the peers that it was told of
    if (this.engine.sessionPeers?.(from).has(to) === true) super.report(from, to);
  }

  override restart(saved: Uint8Array | null, records: readonly Uint8Array[] = []): void {
    this.#reported.clear();
    super.restart(saved, records);
  }

  homeOf(leaf: number): number | null {
    const role = this.engine.role?.(leaf);
    return role?.kind === 'leaf' ? role.home : null;
  }

  override trace(from: number, to: number): Trace {
    const path = [from];
    let plane = 'source' as TableKind;
    for (;;) {
      const at = path.at(-1) ?? 0;
      if (at === to) return { end: 'delivered', path };
      const row = this.#lookup(at, plane, to);
      const next = row?.nextHops[0]?.neighbour;
      if (row === undefined || next === undefined) return { end: 'no_row', path };
      if (!this.isUp(at, next)) return { end: 'dead_link', path: [...path, next] };
      if (path.includes(next)) return { end: 'loop', path: [...path, next] };
      path.push(next);
      if (plane !== 'source') continue;
      // by the uplink a packet meets the home's own rows, which put it on a plane
      if (row.plane === 'a' || row.plane === 'b') plane = row.plane === 'a' ? 'transitA' : 'transitB';
      else if (row.plane === null && next !== to) return { end: 'plane_change', path };
    }
  }

  /** The longest prefix wins, as in a kernel. */
  #lookup(at: number, table: TableKind, to: number): RouteRow | undefined {
    for (let blockBits = 0; blockBits <= BITS; blockBits++) {
      const row = this.node(at).table.get({ table, destination: to - (to % 2 ** blockBits), blockBits });
      if (row !== undefined) return row;
    }
    return undefined;
  }
}
