/**
 * Measured traffic between a few places, step by step (cmu-traffic/od.csv: `step`, then a column `s>t` for each pair,
 * volumes in a unit of their own), laid over the nodes of a mesh: every node belongs to one place, and what a pair of
 * places exchanges is divided between their nodes by weight.
 */
import { ThalwegError } from '../../../protocol/error.ts';
import type { TrafficDemand } from '../../../steering/traffic-engineering/traffic-demand.ts';

export interface OdSeries {
  readonly places: number;
  /** By step: place * places + place, volume. */
  readonly steps: readonly Float64Array[];
}

/** Throws `invalid_argument` naming the line. */
export function parseOdSeries(text: string): OdSeries {
  const [head = '', ...rows] = text.split('\n').filter((line) => line.trim() !== '');
  const [first, ...columns] = head.split(',');
  const places = Math.sqrt(columns.length);
  if (first !== 'step' || !Number.isInteger(places) || places < 1) {
    throw faulty(`its head is not "step" and a square of pairs, but has ${columns.length} columns behind ${first}`);
  }
  const at = columns.map((column) => {
    const [, s, t] = /^(\d+)>(\d+)$/.exec(column.trim()) ?? [];
    const cell = Number(s) * places + Number(t);
    if (!(Number(s) < places && Number(t) < places)) throw faulty(`column ${JSON.stringify(column)} is no pair s>t`);
    return cell;
  });
  if (new Set(at).size !== at.length) throw faulty('a pair has two columns');
  if (rows.length === 0) throw faulty('it has no steps');
  const steps = rows.map((row, i) => {
    const [, ...values] = row.split(',');
    if (values.length !== at.length) throw faulty(`line ${i + 2} has ${values.length} volumes, not ${at.length}`);
    const volumes = new Float64Array(at.length);
    for (const [k, cell] of at.entries()) {
      const volume = Number(values[k]);
      if (!(volume >= 0) || values[k]?.trim() === '') throw faulty(`line ${i + 2}: ${values[k]} is not a volume`);
      volumes[cell] = volume;
    }
    return volumes;
  });
  return { places, steps };
}

/**
 * Demand of one step between nodes: node v belongs to place v modulo the places, and takes part with `weight[v]`. Rates
 * are volumes times `scale`; traffic inside a node is left out, so the sum may be less than the volumes'.
 */
export function demandOfStep(
  volumes: Float64Array,
  places: number,
  weight: Float64Array,
  scale: number,
): TrafficDemand {
  const total = new Float64Array(places);
  for (const [v, w] of weight.entries()) total[v % places] = (total[v % places] ?? 0) + w;
  const [from, to, rate]: [number[], number[], number[]] = [[], [], []];
  for (const [s, ws] of weight.entries()) {
    for (const [t, wt] of weight.entries()) {
      const volume = volumes[(s % places) * places + (t % places)] ?? 0;
      if (s === t || volume === 0) continue;
      from.push(s);
      to.push(t);
      rate.push((scale * volume * ws * wt) / ((total[s % places] ?? 1) * (total[t % places] ?? 1)));
    }
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to), rateBps: Float64Array.from(rate) };
}

function faulty(what: string): ThalwegError {
  return new ThalwegError('invalid_argument', `not a series of traffic matrices: ${what}`, {
    nextStep: 'give a csv file in the form of cmu-traffic/od.csv',
  });
}
