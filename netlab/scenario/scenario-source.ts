/**
 * The text of a scenario file with positions: which line a value stands on, and one way to report what is wrong there.
 * YAML 1.2 core schema; duplicate keys, aliases, tags and several documents in one file are refused.
 */
import { isAlias, isMap, isNode, isPair, LineCounter, type Node, type ParsedNode, parseDocument, visit } from 'yaml';
import { ThalwegError } from '../../protocol/error.ts';

/** Something wrong with the file. `path` leads to the value, e.g. ['events', 2, 'degrade', 'rtt']. */
export interface ScenarioProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The key itself is wrong, not its value: report the key's line. */
  readonly key?: string;
}

/** How many problems one error names: more do not help, and each costs a line. */
const PROBLEMS_SHOWN = 5;

export class ScenarioSource {
  readonly file: string;
  /** The document as plain values. */
  readonly value: unknown;
  readonly #root: ParsedNode | Node | null;
  readonly #lines: LineCounter;

  private constructor(file: string, value: unknown, root: Node | null, lines: LineCounter) {
    this.file = file;
    this.value = value;
    this.#root = root;
    this.#lines = lines;
  }

  /** Throws invalid_scenario with file and line, whatever the text. */
  static parse(file: string, text: string): ScenarioSource {
    const lines = new LineCounter();
    if (isDeeplyNested(text)) throw invalid(file, 1, '', 'lists and maps are nested too deeply', 1);
    try {
      const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
      const fault = document.errors[0] ?? document.warnings[0];
      if (fault !== undefined) {
        throw invalid(file, lines.linePos(fault.pos[0]).line, '', fault.message.split('\n')[0] ?? '', 1);
      }
      let alias: number | undefined;
      visit(document, {
        Node(_, node) {
          if (!isAlias(node) && !('anchor' in node && node.anchor !== undefined)) return undefined;
          alias = node.range?.[0] ?? 0;
          return visit.BREAK;
        },
      });
      if (alias !== undefined) {
        throw invalid(file, lines.linePos(alias).line, '', 'anchors and aliases (& and *) are not allowed', 1);
      }
      return new ScenarioSource(file, document.toJS({ maxAliasCount: 0 }), document.contents, lines);
    } catch (error) {
      if (error instanceof ThalwegError) throw error;
      const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      throw invalid(file, 1, '', `the file is not YAML that can be read (${why.slice(0, 200)})`, 1);
    }
  }

  /** 1-based line of the value at `path`, of its key, or of the nearest thing above it. */
  line(path: readonly PropertyKey[], key?: string): number {
    let node: unknown = this.#root;
    let offset = offsetOf(node);
    for (const step of key === undefined ? path : [...path, key]) {
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(step));
        if (pair === undefined) break;
        offset = offsetOf(pair.key) ?? offset;
        node = pair.value;
      } else if (isNode(node) && 'items' in node && Array.isArray(node.items)) {
        node = node.items[Number(step)];
        offset = offsetOf(node) ?? offset;
      } else break;
    }
    return this.#lines.linePos(offset ?? 0).line;
  }

  /** One error for all problems, sorted by line. */
  error(problems: readonly ScenarioProblem[]): ThalwegError {
    const placed = problems
      .map((problem) => ({ ...problem, line: this.line(problem.path, problem.key) }))
      .sort((a, b) => a.line - b.line);
    const first = placed[0] ?? { line: 1, path: [], message: 'the file is not a scenario' };
    const rest = placed.slice(1, PROBLEMS_SHOWN).map((p) => `line ${p.line}: ${fieldText(p.path)}${p.message}`);
    if (placed.length > PROBLEMS_SHOWN) rest.push(`${placed.length - PROBLEMS_SHOWN} more`);
    const also = rest.length === 0 ? '' : ` (also ${rest.join('; ')})`;
    return invalid(this.file, first.line, fieldName(first.path), first.message + also, problems.length);
  }
}

/** Deeper than any scenario, and shallow enough for a parser whose time grows with the square of the depth. */
const MAX_DEPTH = 64;

/** Counts brackets without regard to quotes: 64 that stay open are refused even in a text. */
function isDeeplyNested(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return true;
  }
  return /(?:[-?:][ \t]+){65}/.test(text);
}

function invalid(file: string, line: number, field: string, message: string, problems: number): ThalwegError {
  const where = field === '' ? '' : `${field}: `;
  return new ThalwegError('invalid_scenario', `${file}:${line}: ${where}${message}`, {
    fields: { file, line, field, problems },
    nextStep: `correct line ${line} of ${file}; docs/scenarios.md explains every key`,
  });
}

/** `events[2].degrade.rtt` */
function fieldName(path: readonly PropertyKey[]): string {
  return path.map((p, i) => (typeof p === 'number' ? `[${p}]` : `${i === 0 ? '' : '.'}${String(p)}`)).join('');
}

function fieldText(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : `${fieldName(path)}: `;
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function keyText(key: unknown): string {
  return isNode(key) && 'value' in key ? String(key.value) : String(key);
}
