/** What is written down of one repetition, and how many become one row. Pure. */
import { percentile } from '../../netlab/traffic/percentile.ts';
import type { Disturbance } from './outage-reckoning.ts';

export interface Sample {
  readonly outageMs: number;
  readonly lost: number;
  readonly lossyForMs: number;
  readonly interruptions: number;
  readonly recovered: boolean;
  /** When what failed came back, or the planned move went back. Null: it was not waited for long enough. */
  readonly backLost: number | null;
  readonly backOutageMs: number | null;
  readonly returned: boolean;
}

export function sampleOf(
  away: Disturbance,
  back: Disturbance | null,
  { recovered, returned }: { recovered: boolean; returned: boolean },
): Sample {
  return {
    ...away,
    recovered,
    backLost: back?.lost ?? null,
    backOutageMs: back?.outageMs ?? null,
    returned,
  };
}

export interface Row {
  readonly repetitions: number;
  readonly outageMs: { readonly p50: number | null; readonly p99: number | null; readonly worst: number | null };
  readonly lossyForMs: { readonly p50: number | null; readonly worst: number | null };
  /** Over all repetitions. */
  readonly lost: number;
  readonly backLost: number;
  /** Repetitions in which anything was lost on the way back. */
  readonly backLostIn: number;
  readonly worstInterruptions: number;
  readonly notRecovered: number;
  readonly notReturned: number;
}

/** Nearest-rank percentiles: p99 of fewer than 100 samples is the worst. */
export function rowOf(samples: readonly Sample[]): Row {
  const [outages, lossy] = [sorted(samples, 'outageMs'), sorted(samples, 'lossyForMs')];
  const round = (value: number | null) => (value === null ? null : Math.round(value * 10) / 10);
  const sum = (of: (sample: Sample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  return {
    repetitions: samples.length,
    outageMs: {
      p50: round(percentile(outages, 50)),
      p99: round(percentile(outages, 99)),
      worst: round(outages.at(-1) ?? null),
    },
    lossyForMs: { p50: round(percentile(lossy, 50)), worst: round(lossy.at(-1) ?? null) },
    lost: sum(({ lost }) => lost),
    backLost: sum(({ backLost }) => backLost ?? 0),
    backLostIn: sum(({ backLost }) => ((backLost ?? 0) > 0 ? 1 : 0)),
    worstInterruptions: Math.max(0, ...samples.map(({ interruptions }) => interruptions)),
    notRecovered: sum(({ recovered }) => (recovered ? 0 : 1)),
    notReturned: sum(({ returned }) => (returned ? 0 : 1)),
  };
}

function sorted(samples: readonly Sample[], field: 'outageMs' | 'lossyForMs'): number[] {
  return samples.map((sample) => sample[field]).sort((a, b) => a - b);
}
