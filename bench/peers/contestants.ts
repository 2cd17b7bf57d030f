/** Who is compared. */
import { babeld } from './babeld.ts';
import { bird } from './bird.ts';
import type { Contestant } from './contestant.ts';
import { thalweg } from './thalweg.ts';

export const CONTESTANTS: readonly Contestant[] = [
  thalweg('thalweg', 'defaults', { core: {}, agent: {} }),
  babeld('babeld', 'babeld.conf', 'cost'),
  babeld('babeld-500ms', 'babeld-hello-500ms.conf', 'cost'),
  babeld('babeld-100ms', 'babeld-hello-100ms.conf', 'cost'),
  babeld('babeld-20ms', 'babeld-hello-20ms.conf', 'cost'),
  babeld('babeld-rtt', 'babeld-rtt.conf', 'delay'),
  bird('bird', 'bird.conf'),
  bird('bird-bfd-100ms', 'bird-bfd-100ms.conf'),
  bird('bird-bfd-50ms', 'bird-bfd-50ms.conf'),
];
