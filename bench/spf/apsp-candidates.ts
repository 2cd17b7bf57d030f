/** Who is measured at all pairs. Others are held against the first; libraries in JavaScript would take minutes. */
import { BOOST, BOOST_DEBIAN } from './cpp-candidate.ts';
import type { SpfCandidate } from './spf-candidate.ts';
import { THALWEG_ONE_THREAD, THALWEG_TWO_THREADS, THALWEG_TYPESCRIPT } from './thalweg-all-pairs.ts';

export const APSP_CANDIDATES: readonly SpfCandidate[] = [
  THALWEG_ONE_THREAD,
  THALWEG_TWO_THREADS,
  THALWEG_TYPESCRIPT,
  BOOST,
  BOOST_DEBIAN,
];
