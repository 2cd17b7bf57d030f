/** Who is measured at keeping the tables of all pairs current through changed weights. */
import type { SpfCandidate } from './spf-candidate.ts';

export const UPDATE_CANDIDATES: readonly SpfCandidate[] = [];
