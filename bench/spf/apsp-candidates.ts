/** Who is measured at all pairs. */
import type { SpfCandidate } from './spf-candidate.ts';

export const APSP_CANDIDATES: readonly SpfCandidate[] = [];
