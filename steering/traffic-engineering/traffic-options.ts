/** What the optimiser may do, and how hard it tries. */
import { ThalwegError } from '../../protocol/error.ts';
import type { StretchRule } from './stretch-bound.ts';

export interface TrafficOptions {
  /** Most members of a group, 1 to 8. Default 4: what a flow hash over few flows still fills. */
  readonly members: number;
  /** No pair's paths are longer than this; null: as long as it takes. Default 1.5 times the shortest RTT and 20 ms. */
  readonly stretch: StretchRule | null;
  /** Below this utilisation of everything, tables are the shortest paths, and nothing is held lower. Default 0.5. */
  readonly calmUtilisation: number;
  /** From cold: the search ends this near above what is proven to be the least utilisation. Default 0.001. */
  readonly gap: number;
  /** From tables in force: the same, so that routes do not move for less. Default 0.005. */
  readonly warmGap: number;
}

export const DEFAULT_TRAFFIC_OPTIONS: TrafficOptions = {
  members: 4,
  stretch: { factor: 1.5, extraUs: 20_000 },
  calmUtilisation: 0.5,
  gap: 0.001,
  warmGap: 0.005,
};

export const MOST_MEMBERS = 8;

/** The defaults with what is given in their place. Throws `invalid_argument` naming the option. */
export function trafficOptions(given: Partial<TrafficOptions>): TrafficOptions {
  const options = { ...DEFAULT_TRAFFIC_OPTIONS, ...given };
  const { members, stretch, calmUtilisation, gap, warmGap } = options;
  if (!Number.isInteger(members) || members < 1 || members > MOST_MEMBERS) {
    throw fault(`members is ${members}: a whole number from 1 to ${MOST_MEMBERS} is wanted`);
  }
  if (stretch !== null && !(stretch.factor >= 1 && Number.isFinite(stretch.factor))) {
    throw fault(`stretch.factor is ${stretch.factor}: 1 or more is wanted`);
  }
  if (stretch !== null && !(stretch.extraUs >= 0 && Number.isFinite(stretch.extraUs))) {
    throw fault(`stretch.extraUs is ${stretch.extraUs}: 0 or more is wanted`);
  }
  if (!(calmUtilisation >= 0 && calmUtilisation <= 1)) {
    throw fault(`calmUtilisation is ${calmUtilisation}: 0 to 1 is wanted`);
  }
  for (const [name, value] of [
    ['gap', gap],
    ['warmGap', warmGap],
  ] as const) {
    if (!(value > 0 && value <= 1)) throw fault(`${name} is ${value}: more than 0 and at most 1 is wanted`);
  }
  return options;
}

function fault(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', `traffic options: ${message}`);
}
