/**
 * Does steering do harm? The real steering engine is fed measured time slices in virtual time; what it has chosen by the
 * end of a slice is scored on a later one, on that slice's own RTTs: share of ordered pairs whose path is at least 10 %
 * shorter, and at least 10 % longer, than their direct link.
 */

import type { RttMatrix } from '../netlab/simulator/rtt-matrix.ts';
import { PLANETLAB_SLICES, planetlabSlice, seattleSlices } from './rtt-data.ts';
import { SteeringMesh } from './steering-mesh.ts';

/** A path counts as better or worse from this on. */
const NOTICED = 0.1;

interface Course {
  readonly name: string;
  readonly slices: readonly RttMatrix[];
  /** Time between slices, as measured: 18 in 9 days, 688 in 3 hours (Zhu et al., see the data's README). */
  readonly sliceMs: number;
  /** Slices between choosing and scoring. */
  readonly gap: number;
  /** First slice after which is scored: before it there is no history. */
  readonly from: number;
  readonly every: number;
}

export function benchDoNoHarm(folder: string): unknown {
  const planetlab = Array.from({ length: PLANETLAB_SLICES }, (_, k) => planetlabSlice(folder, k + 1));
  const courses: Course[] = [
    { name: 'planetlab', slices: planetlab, sliceMs: 12 * 3_600_000, gap: 1, from: 5, every: 1 },
    { name: 'seattle', slices: seattleSlices(folder), sliceMs: 15_700, gap: 5, from: 150, every: 7 },
  ];
  return { benchmark: 'do-no-harm', noticed: NOTICED, results: courses.map(score) };
}

function score(course: Course): unknown {
  const { slices, sliceMs, gap, from, every } = course;
  const size = slices[0]?.size ?? 0;
  const mesh = new SteeringMesh(size);
  const total = { pairs: 0, better: 0, worse: 0, detours: 0, changes: 0 };
  const perSlice: { slice: number; better: number; worse: number }[] = [];
  for (let k = 0; k + gap < slices.length; k++) {
    const [now, later] = [slices[k], slices[k + gap]];
    if (now === undefined || later === undefined) continue;
    const changes = mesh.measure(now, sliceMs);
    if (k < from) continue;
    total.changes += changes;
    if ((k - from) % every !== 0) continue;
    const count = { better: 0, worse: 0 };
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        if (a === b) continue;
        const path = mesh.pathOf(a, b);
        const direct = later.measuredUs(a, b) ?? Number.NaN;
        const us = path.slice(1).reduce((sum, v, i) => sum + (later.measuredUs(path[i] ?? 0, v) ?? Number.NaN), 0);
        total.pairs++;
        if (path.length > 2) total.detours++;
        if (us <= (1 - NOTICED) * direct) count.better++;
        else if (us >= (1 + NOTICED) * direct) count.worse++;
      }
    }
    total.better += count.better;
    total.worse += count.worse;
    perSlice.push({ slice: k + 1, better: count.better, worse: count.worse });
  }
  const percent = (count: number) => Number(((100 * count) / total.pairs).toFixed(3));
  return {
    data: course.name,
    nodes: size,
    scoredSlices: perSlice.length,
    gapSlices: gap,
    detourPercent: percent(total.detours),
    betterPercent: percent(total.better),
    worsePercent: percent(total.worse),
    better: total.better,
    worse: total.worse,
    betterPerWorse: total.worse === 0 ? null : Number((total.better / total.worse).toFixed(1)),
    pathChangesPerPairAndSlice: Number((total.changes / (size * (size - 1)) / (slices.length - gap - from)).toFixed(4)),
    perSlice: perSlice.length > 20 ? undefined : perSlice,
  };
}
