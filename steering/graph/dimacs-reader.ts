/**
 * Reads a graph in DIMACS shortest-path format (`.gr`, 9th DIMACS Implementation Challenge): lines `p sp NODES ARCS`,
 * `a FROM TO WEIGHT` and `c COMMENT`. Two comments mean something to us, and nothing to other programs:
 *
 *   c thalweg transit FIRST LAST   nodes FIRST to LAST forward; nodes that no such line names do not. No line: all do
 *   c thalweg transit none         no node forwards
 *   c thalweg index NODE INDEX     the stable index of NODE is INDEX. Without: its number
 *
 * Pure and incremental: bytes go in as they come, the graph comes out whole or not at all. Node n of the file gets slot
 * n - 1.
 */
import { ThalwegError } from '../../protocol/error.ts';
import { type ArcTable, MAX_NODES, MAX_WEIGHT } from './arc-table.ts';

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const TAB = 9;
const LETTER_A = 97;
/** No line that means something is longer; a file without line breaks is not kept in memory whole. */
const LONGEST_LINE = 4096;
/** 800 MB of arcs. The header's word is not taken for more memory than the lines that follow fill. */
const MAX_ARCS = 2 ** 26;

export class DimacsReader {
  #line = 1;
  #rest = new Uint8Array(LONGEST_LINE);
  #restLength = 0;
  #nodes = -1;
  #declaredArcs = 0;
  #arcs = 0;
  /** Three words an arc: from, to, weight. */
  #columns = new Int32Array(3 * 1024);
  #transit: Uint8Array | undefined;
  #index = new Int32Array(0);
  #failed: ThalwegError | undefined;

  /** Takes the next bytes of the file. Throws `invalid_argument` naming the line; nothing can be read after that. */
  push(chunk: Uint8Array): void {
    if (this.#failed !== undefined) throw this.#failed;
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, at);
      if (end < 0) break;
      if (this.#restLength > 0) {
        this.#keep(chunk, at, end);
        this.#takeLine(this.#rest, 0, this.#restLength);
        this.#restLength = 0;
      } else {
        this.#takeLine(chunk, at, end);
      }
      this.#line++;
      at = end + 1;
    }
    this.#keep(chunk, at, chunk.length);
  }

  /**
   * The graph, once all bytes were taken, with self loops and parallel arcs as they stand in the file: CsrGraph.load
   * sorts them out. Throws `invalid_argument` when the file ends too early.
   */
  end(): ArcTable {
    if (this.#failed !== undefined) throw this.#failed;
    if (this.#restLength > 0) this.#takeLine(this.#rest, 0, this.#restLength);
    if (this.#nodes < 0) throw this.#fault('the file ends without a "p sp NODES ARCS" line');
    if (this.#arcs !== this.#declaredArcs) {
      throw this.#fault(`the file ends after ${this.#arcs} arcs; its "p" line says ${this.#declaredArcs}`);
    }
    const column = (offset: number): Int32Array => {
      const values = new Int32Array(this.#arcs);
      for (let i = 0; i < values.length; i++) values[i] = this.#columns[3 * i + offset] ?? 0;
      return values;
    };
    const transit = this.#transit ?? new Uint8Array(this.#nodes).fill(1);
    return { index: this.#index, transit, from: column(0), to: column(1), weight: column(2) };
  }

  /** Holds the beginning of a line until its end comes. */
  #keep(chunk: Uint8Array, from: number, to: number): void {
    const room = LONGEST_LINE - this.#restLength;
    if (to - from > room) throw this.#fault(`the line is longer than ${LONGEST_LINE} bytes`);
    this.#rest.set(chunk.subarray(from, to), this.#restLength);
    this.#restLength += to - from;
  }

  #takeLine(bytes: Uint8Array, start: number, lineEnd: number): void {
    const end = bytes[lineEnd - 1] === RETURN && lineEnd > start ? lineEnd - 1 : lineEnd;
    if (bytes[start] === LETTER_A && bytes[start + 1] === SPACE && this.#takeArc(bytes, start + 2, end)) return;
    const text = new TextDecoder().decode(bytes.subarray(start, end));
    const words = text.trim().split(/[ \t]+/);
    const [kind = ''] = words;
    if (kind === '') return;
    if (kind === 'c') this.#takeComment(words);
    else if (kind === 'p') this.#takeHeader(words);
    else if (kind === 'a') this.#refuseArc(words);
    else throw this.#fault(`a line begins with ${JSON.stringify(kind.slice(0, 20))}, not with "c", "p" or "a"`);
  }

  /** The fast way for what nearly all lines are. False: something is wrong with it. */
  #takeArc(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#nodes < 0 || this.#arcs === this.#declaredArcs) return false;
    const at = 3 * this.#arcs;
    if (at === this.#columns.length) {
      const longer = new Int32Array(this.#columns.length * 2);
      longer.set(this.#columns);
      this.#columns = longer;
    }
    let k = start;
    for (let word = 0; word < 3; word++) {
      while (bytes[k] === SPACE || bytes[k] === TAB) k++;
      let value = 0;
      const first = k;
      for (; k < end; k++) {
        const digit = (bytes[k] ?? 0) - 48;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (k === first || k - first > 10 || value < 1 || value > (word === 2 ? MAX_WEIGHT : this.#nodes)) return false;
      this.#columns[at + word] = word === 2 ? value : value - 1;
    }
    while (k < end && (bytes[k] === SPACE || bytes[k] === TAB)) k++;
    if (k !== end) return false;
    this.#arcs++;
    return true;
  }

  /** Says what is wrong with an arc. */
  #refuseArc(words: readonly string[]): never {
    const [, from = '', to = '', weight = ''] = words;
    if (this.#nodes < 0) throw this.#fault('an arc stands before the "p" line');
    if (words.length !== 4) throw this.#fault(`an arc is "a FROM TO WEIGHT"; there are ${words.length - 1} values`);
    this.#number('node', from, this.#nodes);
    this.#number('node', to, this.#nodes);
    this.#number('weight', weight, MAX_WEIGHT);
    throw this.#fault(`more arcs than the ${this.#declaredArcs} of the "p" line`);
  }

  #takeHeader(words: readonly string[]): void {
    if (this.#nodes >= 0) throw this.#fault('there is a second "p" line');
    if (words.length !== 4 || words[1] !== 'sp') throw this.#fault('the problem line is not "p sp NODES ARCS"');
    const nodes = this.#number('number of nodes', words[2] ?? '', MAX_NODES);
    this.#declaredArcs = words[3] === '0' ? 0 : this.#number('number of arcs', words[3] ?? '', MAX_ARCS);
    this.#nodes = nodes;
    this.#index = Int32Array.from({ length: nodes }, (_, slot) => slot + 1);
  }

  #takeComment(words: readonly string[]): void {
    const [, ours, kind, first = '', second = ''] = words;
    if (ours !== 'thalweg' || (kind !== 'transit' && kind !== 'index')) return;
    if (this.#nodes < 0) throw this.#fault(`"c thalweg ${kind}" stands before the "p" line`);
    if (kind === 'transit') this.#transit ??= new Uint8Array(this.#nodes);
    if (kind === 'transit' && first === 'none' && words.length === 4) return;
    if (words.length !== 5) throw this.#fault(`"c thalweg ${kind}" takes two numbers`);
    const node = this.#number('node', first, this.#nodes);
    if (kind === 'index') {
      this.#index[node - 1] = this.#number('index', second, MAX_WEIGHT);
      return;
    }
    const last = this.#number('node', second, this.#nodes);
    if (last < node) throw this.#fault(`nodes ${node} to ${last} are no range`);
    this.#transit?.fill(1, node - 1, last);
  }

  #number(what: string, word: string, most: number): number {
    const value = /^\d{1,10}$/.test(word) ? Number(word) : 0;
    if (value >= 1 && value <= most) return value;
    throw this.#fault(`${what} ${JSON.stringify(word.slice(0, 40))} is not a whole number from 1 to ${most}`);
  }

  #fault(message: string): ThalwegError {
    this.#failed = new ThalwegError('invalid_argument', `DIMACS graph, line ${this.#line}: ${message}`, {
      nextStep: 'mend the line, or make the file again',
      fields: { line: this.#line },
    });
    return this.#failed;
  }
}
