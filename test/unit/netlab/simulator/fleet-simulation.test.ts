/** A small fleet on virtual time: the same seed does the same, and at rest every packet arrives, lost deltas or not. */
import { describe, expect, it } from 'vitest';
import { FleetModel } from '../../../../bench/fleet/fleet-model.ts';
import { NumberedTable } from '../../../../netlab/simulator/agent-table.ts';
import { DEFAULT_FLEET_SIMULATION, FleetSimulation } from '../../../../netlab/simulator/fleet-simulation.ts';
import { FleetTables } from '../../../../netlab/simulator/fleet-tables.ts';
import { RouteTable } from '../../../../protocol/route-table.ts';
import { DEFAULT_NODE_TABLE_OPTIONS, NodeTable } from '../../../../steering/rollout/node-table.ts';

function simulate(seed: number): FleetSimulation {
  const model = new FleetModel({ transit: 12, leaves: 300, links: 3, degree: 6, seed });
  const options = {
    ...DEFAULT_FLEET_SIMULATION,
    seed,
    seconds: 50,
    lostShare: 0.01,
    troublesPerMinute: 40,
    pairs: 300,
  };
  return new FleetSimulation(model.places, options);
}

describe('a simulated fleet', { timeout: 60_000 }, () => {
  it('delivers every packet at rest, and does the same for the same seed', () => {
    const first = simulate(3).run();
    expect(first).toMatchObject({ wrongDeltas: 0, loops: 0, missingRows: 0, firstFaults: [] });
    expect(first.lostDeltas).toBeGreaterThan(5);
    expect(first.movedLeaves).toBeGreaterThan(5);
    expect(first.followed).toBeGreaterThan(1_000);
    expect(simulate(3).run()).toEqual(first);
    expect(simulate(4).run().checksum).not.toBe(first.checksum);
  });

  it('sees a delta that is not what it says, and a node without its rows', () => {
    const fleet = simulate(1);
    const [from = 0, to = 0] = [...fleet.engine.homes.home.keys()].filter((v) => fleet.tables.sizeOf(v) > 0).slice(-2);
    expect(fleet.tables.follow(from, to).fate).toBe('delivered');
    let whole = new Uint8Array(0);
    fleet.engine.sendWhole(from, (_, bytes) => {
      whole = bytes.slice();
    });
    expect(fleet.tables.apply(from, whole).applied).toBe('held');
    // the last eight bytes are the checksum
    whole[whole.length - 1] = (whole[whole.length - 1] ?? 0) ^ 1;
    expect(fleet.tables.apply(from, whole).applied).toBe('wrong');
    expect(new FleetTables().follow(from, to).fate).toBe('no_row');
  });
});

describe('an agent’s table of numbers', () => {
  it('has the checksum of the protocol’s table after each delta, and refuses what starts elsewhere', () => {
    const core = new NodeTable(DEFAULT_NODE_TABLE_OPTIONS);
    core.connect(0n, 0n);
    const [numbers, rows] = [new NumberedTable(), new RouteTable()];
    let generation = 0n;
    for (let round = 0; round < 40; round++) {
      const destination = 1 + (round % 7);
      const nextHops = [{ neighbour: 1 + (round % 5), weight: 1 }];
      if (round % 6 === 5) core.unwant({ table: 'source', destination, blockBits: 0 });
      else core.want({ table: 'source', destination, blockBits: 0, plane: 'a', nextHops, backups: [] });
      if (round === 20) core.request();
      const delta = core.takeDelta(0, () => ++generation);
      if (delta === null) continue;
      expect([numbers.apply(delta).ok, rows.apply(delta).ok]).toEqual([true, true]);
      expect(numbers.checksum).toBe(rows.checksum);
      if (!delta.full) expect(numbers.apply(delta).ok).toBe(false);
      core.acknowledge(delta.generation, numbers.checksum, null, 0);
    }
    expect(generation).toBeGreaterThan(20n);
  });
});
