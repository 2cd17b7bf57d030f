/** Who is measured at one source. */
import type { SpfCandidate } from './spf-candidate.ts';
import { THALWEG_ONE_SOURCE } from './thalweg-one-source.ts';

export const SSSP_CANDIDATES: readonly SpfCandidate[] = [THALWEG_ONE_SOURCE];
