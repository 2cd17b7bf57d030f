/** Changes one link at a time and measures how long it takes until the agents concerned hold and acknowledged new tables. */
import type { NodeView } from '../../protocol/api.ts';
import { pause } from '../pause.ts';
import { summarise } from '../traffic/percentile.ts';
import type { FleetCommand } from './load-fleet.ts';
import type { ChangeResult } from './load-result.ts';
import type { FleetSum } from './load-sum.ts';
import { distanceUs, type LinkState } from './load-underlay.ts';

export interface ChangeDeps {
  readonly send: (command: FleetCommand) => void;
  readonly sum: () => Promise<FleetSum>;
  readonly random: () => number;
  /** Throws when the run has taken too long. */
  readonly checkTime: (what: string) => void;
}

/** Two phases, and a second for packets on their way: a move and its clearing up take less. */
const WATCH_MS = 3500;
const SLOWER = 20;

interface LinkChange {
  readonly a: number;
  readonly b: number;
  readonly state: LinkState;
}

/** `count` changes of each kind; a link is changed once and stays so. */
export async function measureChanges(
  deps: ChangeDeps,
  nodes: readonly NodeView[],
  count: number,
): Promise<ChangeResult[]> {
  const transit = nodes.filter((node) => node.transit);
  const pairs = shuffled(
    transit.flatMap((a, i) => transit.slice(i + 1).map((b) => ({ a: a.index, b: b.index }))),
    deps.random,
  );
  const byName = new Map(nodes.map((node) => [node.name, node.index]));
  const leaves = shuffled(
    nodes.flatMap((node) => {
      const home = node.home === null ? undefined : byName.get(node.home);
      return home === undefined ? [] : [{ a: node.index, b: home }];
    }),
    deps.random,
  );
  // half of the pairs at most: the mesh of transit nodes stays well connected
  const most = Math.min(count, Math.floor(pairs.length / 4));
  const down = pairs.slice(0, most);
  const slow = pairs.slice(most, 2 * most);
  return [
    await measure(
      deps,
      'transit link down',
      down.map(({ a, b }) => ({ a, b, state: 'down' })),
    ),
    await measure(
      deps,
      'transit link slow',
      slow.map(({ a, b }) => ({ a, b, state: { rttUs: SLOWER * distanceUs(a, b) } })),
    ),
    await measure(
      deps,
      'leaf link down',
      leaves.slice(0, count).map(({ a, b }) => ({ a, b, state: 'down' })),
    ),
  ];
}

async function measure(
  deps: ChangeDeps,
  kind: ChangeResult['kind'],
  changes: readonly LinkChange[],
): Promise<ChangeResult> {
  const firstDeltaMs: number[] = [];
  const movedMs: number[] = [];
  let without = 0;
  let deltas = 0;
  for (const { a, b, state } of changes) {
    deps.checkTime(`${movedMs.length} changes are measured`);
    deps.send({ kind: 'watch', link: { a, b } });
    await deps.sum();
    deps.send({ kind: 'link', a, b, state });
    await pause(WATCH_MS);
    const { watch } = await deps.sum();
    deltas += watch.deltas;
    if (watch.reportedUs === null || watch.lastSourceAckUs === null || watch.firstDeltaUs === null) {
      without++;
      continue;
    }
    firstDeltaMs.push(Math.max(0, watch.firstDeltaUs - watch.reportedUs) / 1000);
    movedMs.push(Math.max(0, watch.lastSourceAckUs - watch.reportedUs) / 1000);
  }
  return { kind, firstDeltaMs: summarise(firstDeltaMs), movedMs: summarise(movedMs), without, deltas };
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const mixed = [...values];
  for (let i = mixed.length - 1; i > 0; i--) {
    const at = Math.floor(random() * (i + 1));
    [mixed[i], mixed[at]] = [mixed[at] as T, mixed[i] as T];
  }
  return mixed;
}
