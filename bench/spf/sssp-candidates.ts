/** Who is measured at one source. */
import { BOOST, BOOST_DEBIAN, CPP_BUCKETS, CPP_BUCKETS_NATIVE } from './cpp-candidate.ts';
import { GRAPHOLOGY } from './graphology-candidate.ts';
import { NGRAPH } from './ngraph-candidate.ts';
import type { SpfCandidate } from './spf-candidate.ts';
import { THALWEG_ONE_SOURCE } from './thalweg-one-source.ts';

export const SSSP_CANDIDATES: readonly SpfCandidate[] = [
  THALWEG_ONE_SOURCE,
  BOOST,
  BOOST_DEBIAN,
  CPP_BUCKETS,
  CPP_BUCKETS_NATIVE,
  NGRAPH,
  GRAPHOLOGY,
];
