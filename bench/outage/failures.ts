/**
 * The failures whose outage is measured, each as two moves: break and mend. Hosts a and d talk; b and c stand beside them.
 *
 *        b
 *      / | \
 *     a--+--d      every pair has a link; where a relay is broken, a and d have none between them
 *      \ | /
 *        c
 */
import type { Lab } from '../../netlab/lab.ts';
import type { BenchLab } from '../bench-lab.ts';

export const HOSTS = ['a', 'b', 'c', 'd'] as const;
export const [SOURCE, SINK] = ['a', 'd'];

export interface Failure {
  /** Before the first repetition, once all is steered. */
  readonly prepare: (bench: BenchLab) => Promise<void>;
  /** Which host or link is to fail now: by the path that is in use. */
  readonly breaks: (lab: Lab, path: readonly string[]) => Promise<void>;
  readonly mends: (lab: Lab) => Promise<void>;
  /** All is as a repetition begins: `path` gives the installed path between two hosts, [] where there is none. */
  readonly isReady: (path: (from: string, to: string) => Promise<readonly string[]>) => Promise<boolean>;
}

type PathOf = (from: string, to: string) => Promise<readonly string[]>;

const direct = async (path: PathOf): Promise<boolean> => (await path(SOURCE, SINK)).length === 2;

/** Both relays forward again, or there is nothing to repair with. */
async function byRelay(path: PathOf): Promise<boolean> {
  const legs = await Promise.all(
    ['b', 'c'].flatMap((relay) => [path(SOURCE, relay), path(relay, SINK), path(SINK, relay), path(relay, SOURCE)]),
  );
  return legs.every((leg) => leg.length === 2) && (await path(SOURCE, SINK)).length === 3;
}
const nothing = async (): Promise<void> => {};

async function setBoth(lab: Lab, from: string, to: string, cut: boolean): Promise<void> {
  await Promise.all([lab.setLink(from, to, { cut }), lab.setLink(to, from, { cut })]);
}

/** By the relay in use, which has only a neighbour's word to say that it is gone. */
function relay(
  stop: (lab: Lab, host: string) => Promise<void>,
  start: (lab: Lab, host: string) => Promise<void>,
): Failure {
  let broken = '';
  return {
    prepare: ({ lab }) => setBoth(lab, SOURCE, SINK, true),
    breaks: (lab, path) => {
      broken = path[1] ?? '';
      return stop(lab, broken);
    },
    mends: (lab) => start(lab, broken),
    isReady: byRelay,
  };
}

export const FAILURES: Readonly<Record<string, Failure>> = {
  cut: {
    prepare: nothing,
    breaks: (lab) => setBoth(lab, SOURCE, SINK, true),
    mends: (lab) => setBoth(lab, SOURCE, SINK, false),
    isReady: direct,
  },
  /** The source's packets are lost; what the sink sends still arrives. */
  'one-way': {
    prepare: nothing,
    breaks: (lab) => lab.setLink(SOURCE, SINK, { cut: true }),
    mends: (lab) => lab.setLink(SOURCE, SINK, { cut: false }),
    isReady: direct,
  },
  'relay-power-off': relay(
    (lab, host) => lab.powerOff(host),
    (lab, host) => lab.powerOn(host),
  ),
  'relay-kill': relay(
    (lab, host) => lab.stopAgent(host, 'SIGKILL'),
    (lab, host) => lab.startAgent(host),
  ),
};
