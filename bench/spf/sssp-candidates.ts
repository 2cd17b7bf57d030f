/** Who is measured at one source. */
import type { SpfCandidate } from './spf-candidate.ts';

export const SSSP_CANDIDATES: readonly SpfCandidate[] = [];
