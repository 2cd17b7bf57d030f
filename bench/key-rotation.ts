/**
 * What a change of a node's WireGuard key costs: three hosts, one way 10 ms, flows both ways between the node and another
 * one; and a way through the node, since the direct one is slow. The key is changed as often as asked, and what each flow lost is
 * counted around each change, and between them.
 *
 *        x ---- b      x: the node whose key is changed; a-b: 60 ms, so that what a sends to b goes through x
 *        |      |
 *        a -----
 */
import { setTimeout as pause } from 'node:timers/promises';
import { FlowRun } from '../netlab/scenario/flow-run.ts';
import type { NodeView } from '../protocol/api.ts';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { withBenchLab } from './bench-lab.ts';
import { type Values, whole } from './values.ts';

export const KEY_ROTATION_KEYS = ['count', 'rate', 'delay'];

const [NODE, PEER, FAR] = ['x', 'a', 'b'];
/** [from, to] of each flow. */
const FLOWS = [
  [NODE, PEER],
  [PEER, NODE],
  [PEER, FAR],
] as const;
const AROUND_MS = 2500;
const QUIET_MS = 6000;
const DEADLINE_MS = 20_000;

export async function benchKeyRotation(values: Values) {
  const count = whole(values, 'count', { otherwise: 10, most: 200 });
  const packetsPerSecond = whole(values, 'rate', { otherwise: 1000, most: 9999 });
  const oneWayDelayUs = 1000 * whole(values, 'delay', { otherwise: 10, least: 0, most: 500 });
  return withBenchLab(
    [PEER, FAR, NODE],
    async ({ lab, api, node, untilPath }) => {
      await lab.setLinks([
        { from: PEER, to: FAR, patch: { oneWayDelayUs: 60_000 } },
        { from: FAR, to: PEER, patch: { oneWayDelayUs: 60_000 } },
      ]);
      await untilPath(PEER, FAR, [PEER, NODE, FAR]);
      await pause(QUIET_MS);
      const flows = FLOWS.map(([from, to], number) => {
        const options = { name: `${from}-${to}`, from, to, packetsPerSecond, sizeBytes: 200, fromMs: 0, toMs: 600_000 };
        return new FlowRun({ lab, clock: systemClock }, { ...options, family: 4 }, number);
      });
      try {
        await Promise.all(flows.map((flow) => flow.startSink()));
        const startNs = process.hrtime.bigint() + 1_000_000_000n;
        for (const flow of flows) flow.startSource((await node(flow.flow.to)).node4, startNs);
        await pause(1000 + AROUND_MS);
        const nowMs = () => Number(process.hrtime.bigint() - startNs) / 1e6;
        const moments: { askedMs: number; knownMs: number }[] = [];
        for (let i = 0; i < count; i++) {
          const before = (await node(NODE)).publicKey;
          const askedMs = nowMs();
          await api.post(`/v1/nodes/${NODE}/key`, {});
          moments.push({ askedMs, knownMs: await untilOther(node, before, nowMs) });
          await pause(AROUND_MS);
        }
        const endMs = nowMs();
        await Promise.all(flows.map((flow) => flow.finish()));
        const changes = moments.map(({ askedMs, knownMs }) => ({
          untilKnownMs: Math.round(knownMs - askedMs),
          lost: flows.map((flow) => flow.result({ fromMs: askedMs - 100, toMs: knownMs + AROUND_MS - 100 })?.lost),
          longestGapMs: flows.map((flow) =>
            Math.round(
              (flow.result({ fromMs: askedMs, toMs: knownMs + AROUND_MS - 500 })?.outageUs ?? Number.NaN) / 1000,
            ),
          ),
        }));
        return {
          count,
          packetsPerSecond,
          oneWayDelayMs: oneWayDelayUs / 1000,
          flows: flows.map((flow) => {
            const all = flow.result({ fromMs: 0, toMs: endMs });
            return { flow: flow.flow.name, sent: all?.sent, lost: all?.lost, duplicated: all?.duplicated };
          }),
          changes,
        };
      } finally {
        await Promise.all(flows.map((flow) => flow.abandon()));
      }
    },
    {},
    { oneWayDelayUs },
  );
}

async function untilOther(
  node: (name: string) => Promise<NodeView>,
  before: string,
  nowMs: () => number,
): Promise<number> {
  const deadlineMs = performance.now() + DEADLINE_MS;
  while ((await node(NODE)).publicKey === before) {
    if (performance.now() > deadlineMs)
      throw new ThalwegError('timeout', `${NODE} has its old key after ${DEADLINE_MS} ms`);
    await pause(10);
  }
  return nowMs();
}
