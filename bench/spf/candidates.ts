/** All implementations by task, in the order in which they are printed. */
import { APSP_CANDIDATES } from './apsp-candidates.ts';
import { LEAVES_CANDIDATES } from './leaves-candidates.ts';
import type { SpfCandidate, SpfTask } from './spf-candidate.ts';
import { SSSP_CANDIDATES } from './sssp-candidates.ts';
import { UPDATE_CANDIDATES } from './update-candidates.ts';

export const CANDIDATES: Readonly<Record<SpfTask, readonly SpfCandidate[]>> = {
  sssp: SSSP_CANDIDATES,
  apsp: APSP_CANDIDATES,
  update: UPDATE_CANDIDATES,
  leaves: LEAVES_CANDIDATES,
};
