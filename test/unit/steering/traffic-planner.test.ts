/** The optimiser in a real thread: the same plan, errors that come through, and a thread that ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { optimise } from '../../../steering/traffic-engineering/optimise.ts';
import type { TrafficNetwork } from '../../../steering/traffic-engineering/traffic-network.ts';
import { TrafficPlanner } from '../../../steering/traffic-engineering/traffic-planner.ts';
import { buildChild } from '../../fake/build-child.ts';

/** 0 - 1 direct, and by 2. */
const network: TrafficNetwork = {
  nodeCount: 3,
  from: Int32Array.of(0, 0, 2),
  to: Int32Array.of(1, 2, 1),
  rttUs: Float64Array.of(5000, 4000, 4000),
  capacityBps: Float64Array.of(1e6, 1e6, 1e6),
};
const demand = { from: Int32Array.of(0), to: Int32Array.of(1), rateBps: Float64Array.of(1.2e6) };

describe('a planner', () => {
  let folder: string;
  let workerUrl: URL;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'thalweg-traffic-'));
    workerUrl = pathToFileURL(buildChild('steering/traffic-engineering/traffic-worker.ts', folder));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('plans as the function does, cold and from tables in force', async () => {
    const planner = new TrafficPlanner({ workerUrl });
    try {
      const plan = await planner.plan(network, demand);
      expect(plan).toEqual(optimise(network, demand));
      expect(plan.highestUtilisation).toBeCloseTo(0.6, 2);
      expect((await planner.plan(network, demand, {}, plan.tables)).changedRoutes).toBe(0);
    } finally {
      await planner.stop();
    }
  });

  test('hands on what is wrong with the input, and goes on', async () => {
    const planner = new TrafficPlanner({ workerUrl });
    try {
      const wrong = planner.plan({ ...network, capacityBps: Float64Array.of(1e6, -1, 1e6) }, demand);
      await expect(wrong).rejects.toMatchObject({ code: 'invalid_argument', message: /capacity of link 1 is -1/ });
      await expect(planner.plan(network, demand, { members: 9 })).rejects.toMatchObject({ code: 'invalid_argument' });
      expect((await planner.plan(network, demand)).shortestUtilisation).toBeCloseTo(1.2, 9);
    } finally {
      await planner.stop();
    }
  });

  test('refuses a second plan meanwhile; a stop fails the first, and the next call starts again', async () => {
    const planner = new TrafficPlanner({ workerUrl });
    try {
      const first = planner.plan(network, demand);
      await expect(planner.plan(network, demand)).rejects.toMatchObject({ code: 'conflict' });
      const outcome = expect(first).rejects.toMatchObject({ code: 'internal' });
      await planner.stop();
      await outcome;
      expect(planner.busy).toBe(false);
      expect((await planner.plan(network, demand)).fitting).toBe(1);
    } finally {
      await planner.stop();
    }
  });
});
