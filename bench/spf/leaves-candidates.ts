/** Who is measured at one source over relays and a great many leaves. */
import type { SpfCandidate } from './spf-candidate.ts';

export const LEAVES_CANDIDATES: readonly SpfCandidate[] = [];
