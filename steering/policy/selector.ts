/** Which nodes a rule speaks of. Pure. */
import type { Labels } from '../store/store.ts';

/** What of a node a policy may ask for. */
export interface PolicyNode {
  readonly index: number;
  readonly name: string;
  readonly labels: Labels;
}

export type SelectorTerm =
  | { readonly kind: 'name'; readonly name: string }
  /** Value null: whatever it is. */
  | { readonly kind: 'label'; readonly key: string; readonly value: string | null };

/** All terms hold; none: every node. Sorted, none twice, so that equal selectors have equal texts. */
export type Selector = readonly SelectorTerm[];

/** A value that needs no quotes in a policy's text. */
export const PLAIN_VALUE = /^[A-Za-z0-9_.:/@+-]+$/;

export function makeSelector(terms: readonly SelectorTerm[]): Selector {
  const byText = new Map(terms.map((term) => [formatTerm(term), term]));
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, term]) => term);
}

export function selects(selector: Selector, { name, labels }: PolicyNode): boolean {
  return selector.every((term) => {
    if (term.kind === 'name') return term.name === name;
    const value = Object.hasOwn(labels, term.key) ? labels[term.key] : undefined;
    return value !== undefined && (term.value === null || term.value === value);
  });
}

/** `app=web & env=prod`; `any` for every node. What it returns is read back as the same selector. */
export function formatSelector(selector: Selector): string {
  return selector.length === 0 ? 'any' : selector.map(formatTerm).join(' & ');
}

function formatTerm(term: SelectorTerm): string {
  if (term.kind === 'name') return term.name;
  if (term.value === null) return `${term.key}=*`;
  return `${term.key}=${PLAIN_VALUE.test(term.value) ? term.value : JSON.stringify(term.value)}`;
}
