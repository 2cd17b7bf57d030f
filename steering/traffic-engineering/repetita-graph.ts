/**
 * Reads topologies and demands in the format of REPETITA (Gay, Schaus and Vissicchio, REPETITA: Repeatable Experiments
 * for Performance Evaluation of Traffic-Engineering Algorithms, 2017), from text.
 *
 *   NODES n / header / n lines `label x y` / EDGES m / header / m lines `label src dest weight bw delay`
 *   DEMANDS d / header / d lines `label src dest bw`
 *
 * Fields are separated by blanks; nodes are numbered from 0; `bw` is in kbit/s. Empty lines are skipped.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { TrafficDemand } from './traffic-demand.ts';
import { MOST_BPS, MOST_RTT_US, MOST_TRAFFIC_NODES } from './traffic-network.ts';

export interface RepetitaGraph {
  readonly labels: readonly string[];
  /** Degrees of longitude and latitude, as they stand in the file: 0, 0 means unknown. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly linkLabels: readonly string[];
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Per link: its weight in the topology's own routing. */
  readonly weight: Float64Array;
  readonly capacityBps: Float64Array;
  /** Per link, in the unit of the file. */
  readonly delay: Float64Array;
}

export interface NamedDemand extends TrafficDemand {
  readonly labels: readonly string[];
}

/** More lines than any topology or full matrix that can be planned has. */
const MOST_ROWS = MOST_TRAFFIC_NODES * MOST_TRAFFIC_NODES;
const BPS_PER_KBPS = 1000;

/** Throws `invalid_argument` naming `name` and the line. */
export function readRepetitaGraph(text: string, name: string): RepetitaGraph {
  const lines = new Lines(text, name);
  const nodes = lines.section('NODES', MOST_TRAFFIC_NODES, 1);
  const x = new Float64Array(nodes);
  const y = new Float64Array(nodes);
  const labels = Array.from({ length: nodes }, (_, node) => {
    const words = lines.row('a node', ['label', 'x', 'y']);
    x[node] = lines.number('x', words[1], -1e9, 1e9);
    y[node] = lines.number('y', words[2], -1e9, 1e9);
    return words[0] ?? '';
  });
  const links = lines.section('EDGES', MOST_ROWS, 0);
  const from = new Int32Array(links);
  const to = new Int32Array(links);
  const weight = new Float64Array(links);
  const capacityBps = new Float64Array(links);
  const delay = new Float64Array(links);
  const linkLabels = Array.from({ length: links }, (_, link) => {
    const words = lines.row('a link', ['label', 'src', 'dest', 'weight', 'bw', 'delay']);
    from[link] = lines.node('src', words[1], nodes);
    to[link] = lines.node('dest', words[2], nodes);
    if (from[link] === to[link]) throw lines.fault(`the link leads from node ${words[1]} to itself`);
    weight[link] = lines.number('weight', words[3], 0, 1e12);
    const kbps = lines.number('bw', words[4], 0, MOST_BPS / BPS_PER_KBPS);
    if (kbps === 0) throw lines.fault('bw is 0: a link that carries nothing is left out of the file');
    capacityBps[link] = kbps * BPS_PER_KBPS;
    delay[link] = lines.number('delay', words[5], 0, MOST_RTT_US / 6);
    return words[0] ?? '';
  });
  lines.end();
  return { labels, x, y, linkLabels, from, to, weight, capacityBps, delay };
}

/** The demands of a `.demands` file between `nodeCount` nodes. Throws `invalid_argument` naming `name` and the line. */
export function readRepetitaDemands(text: string, name: string, nodeCount: number): NamedDemand {
  const lines = new Lines(text, name);
  const rows = lines.section('DEMANDS', MOST_ROWS, 0);
  const from = new Int32Array(rows);
  const to = new Int32Array(rows);
  const rateBps = new Float64Array(rows);
  const labels = Array.from({ length: rows }, (_, row) => {
    const words = lines.row('a demand', ['label', 'src', 'dest', 'bw']);
    from[row] = lines.node('src', words[1], nodeCount);
    to[row] = lines.node('dest', words[2], nodeCount);
    rateBps[row] = lines.number('bw', words[3], 0, MOST_BPS / BPS_PER_KBPS) * BPS_PER_KBPS;
    return words[0] ?? '';
  });
  lines.end();
  return { labels, from, to, rateBps };
}

/** The lines of a file, with the number of the one read last for what is wrong with it. */
class Lines {
  readonly #lines: readonly string[];
  readonly #name: string;
  #at = 0;

  constructor(text: string, name: string) {
    this.#lines = text.split('\n');
    this.#name = name;
  }

  /** `KIND count` and the header line under it. */
  section(kind: string, most: number, least: number): number {
    const line = this.#next();
    const [word, count = '', ...more] = line?.split(/\s+/) ?? [];
    if (word !== kind || more.length > 0) {
      throw this.fault(
        `${JSON.stringify((line ?? 'the end of the file').slice(0, 60))} stands where "${kind} COUNT" must`,
      );
    }
    const rows = /^\d{1,9}$/.test(count) ? Number(count) : -1;
    if (rows < least || rows > most) {
      throw this.fault(`${kind} ${JSON.stringify(count.slice(0, 20))} is not a whole number from ${least} to ${most}`);
    }
    if (this.#next() === undefined) throw this.fault(`the file ends before the header of its ${kind}`);
    return rows;
  }

  row(what: string, fields: readonly string[]): readonly string[] {
    const line = this.#next();
    if (line === undefined) throw this.fault(`the file ends where ${what} is due: fewer lines than it declares`);
    const words = line.split(/\s+/);
    if (words.length === fields.length) return words;
    throw this.fault(`${what} is "${fields.join(' ')}"; there are ${words.length} values`);
  }

  number(field: string, word: string | undefined, least: number, most: number): number {
    const value = word === undefined || word === '' ? Number.NaN : Number(word);
    if (value >= least && value <= most) return value;
    throw this.fault(
      `${field} is ${JSON.stringify((word ?? '').slice(0, 40))}: a number from ${least} to ${most} is due`,
    );
  }

  node(field: string, word: string | undefined, nodes: number): number {
    const value = /^\d{1,9}$/.test(word ?? '') ? Number(word) : -1;
    if (value >= 0 && value < nodes) return value;
    throw this.fault(`${field} is ${JSON.stringify((word ?? '').slice(0, 40))}: the nodes are 0 to ${nodes - 1}`);
  }

  end(): void {
    const line = this.#next();
    if (line !== undefined) throw this.fault(`more lines than the file declares: ${JSON.stringify(line.slice(0, 60))}`);
  }

  fault(message: string): ThalwegError {
    return new ThalwegError('invalid_argument', `${this.#name}, line ${Math.max(1, this.#at)}: ${message}`, {
      nextStep: 'mend that line of the file',
      fields: { line: Math.max(1, this.#at) },
    });
  }

  #next(): string | undefined {
    while (this.#at < this.#lines.length) {
      const line = (this.#lines[this.#at++] ?? '').trim();
      if (line !== '') return line;
    }
    return undefined;
  }
}
