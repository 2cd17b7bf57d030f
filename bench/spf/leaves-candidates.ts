/** Who is measured at one source over relays and a great many leaves. */
import type { SpfCandidate } from './spf-candidate.ts';
import { THALWEG_ONE_SOURCE } from './thalweg-one-source.ts';

export const LEAVES_CANDIDATES: readonly SpfCandidate[] = [THALWEG_ONE_SOURCE];
