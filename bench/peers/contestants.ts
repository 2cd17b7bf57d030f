/** Who is compared. */
import { babeld } from './babeld.ts';
import { bird } from './bird.ts';
import type { Contestant } from './contestant.ts';
import { thalweg } from './thalweg.ts';

export const CONTESTANTS: readonly Contestant[] = [
  // What has failed is trusted again sooner than by default, so that repetitions take less time; nothing else is changed.
  thalweg('thalweg', 'defaults, recoverHoldMs 2000', { core: { steering: { recoverHoldMs: 2_000 } }, agent: {} }),
  thalweg('thalweg-fast', 'detect fast, recoverHoldMs 2000', {
    core: { steering: { recoverHoldMs: 2_000 } },
    agent: { detect: 'fast' },
  }),
  babeld('babeld', 'babeld.conf', 4_000, 'cost'),
  babeld('babeld-500ms', 'babeld-hello-500ms.conf', 1_000, 'cost'),
  babeld('babeld-100ms', 'babeld-hello-100ms.conf', 1_000, 'cost'),
  babeld('babeld-20ms', 'babeld-hello-20ms.conf', 1_000, 'cost'),
  babeld('babeld-rtt', 'babeld-rtt.conf', 1_000, 'delay'),
  bird('bird', 'bird.conf', 10_000),
  // BFD is fast, but OSPF looks at its calculation once a second (tick)
  bird('bird-bfd-100ms', 'bird-bfd-100ms.conf', 1_000),
  bird('bird-bfd-50ms', 'bird-bfd-50ms.conf', 1_000),
];
