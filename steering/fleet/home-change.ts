/** A leaf's move from one home to another as people read it. */
import type { PathChange } from '../../protocol/api.ts';
import { msText } from '../rib/path-explanation.ts';
import type { LeafBook } from './leaf-book.ts';
import type { LeafMember } from './leaf-member.ts';

/** `was` and `home` by node index; undefined: none. At least one is there. */
export function homeChange(
  book: LeafBook,
  leaf: LeafMember,
  was: number | undefined,
  home: number | undefined,
  atMs: number,
): Omit<PathChange, 'seq'> {
  const name = (index: number) => book.mesh.name(index);
  return {
    atMs,
    from: leaf.name,
    to: name(home ?? was ?? 0),
    before: was === undefined ? [] : [leaf.name, name(was)],
    after: home === undefined ? [] : [leaf.name, name(home)],
    ...reasonOf(book, leaf, was, home),
    beforeCostUs: was === undefined ? null : book.costUs(leaf, was),
    afterCostUs: home === undefined ? null : book.costUs(leaf, home),
  };
}

function reasonOf(
  book: LeafBook,
  leaf: LeafMember,
  was: number | undefined,
  home: number | undefined,
): Pick<PathChange, 'reason' | 'detail'> {
  const name = (index: number) => book.mesh.name(index);
  const cost = (index: number) => {
    const us = book.costUs(leaf, index);
    return us === null ? 'not measured' : msText(us);
  };
  if (home === undefined) return { reason: 'unreachable', detail: `no transit node of ${leaf.name} can be its home` };
  const now = `home of ${leaf.name} is ${name(home)}, ${cost(home)}`;
  if (was === undefined) return { reason: 'first_path', detail: now };
  if (book.capacityOf(was) === 0)
    return { reason: 'node_left', detail: `${name(was)} takes no leaves any more; ${now}` };
  if (book.costUs(leaf, was) === null) return { reason: 'link_down', detail: `link to ${name(was)} is down; ${now}` };
  return { reason: 'better_path', detail: `${now}, against ${cost(was)} of ${name(was)}` };
}
