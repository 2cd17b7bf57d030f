/** The sets that rules ask, by name: their elements, as `nft` takes and prints them. Pure. */
import { NFT_TABLE } from '../overlay-names.ts';
import type { DesiredOverlay } from '../overlay-state.ts';
import { hasEnds, ORIGIN_SET_TYPES, originElements } from './origin-sets.ts';
import { policyElements, policySetTypes } from './policy-rules.ts';

export type FilterSets = ReadonlyMap<string, ReadonlySet<string>>;

/** Sets that packets fill. */
export const DEMAND_SETS: readonly string[] = ['demand4', 'demand6'];

/** Types of the sets that the rules of this value ask. */
export function filterSetTypes({ peers, policy }: DesiredOverlay): ReadonlyMap<string, string> {
  return new Map([...(hasEnds(peers) ? Object.entries(ORIGIN_SET_TYPES) : []), ...policySetTypes(policy)]);
}

export function filterSets({ peers, policy }: DesiredOverlay): FilterSets {
  const origins = hasEnds(peers) ? Object.entries(originElements(peers)) : [];
  return new Map([...origins, ...policyElements(policy)]);
}

/** Lines for `nft -f -` that make sets which hold `before` hold `after`; none when they do. Removals first. */
export function setScript(before: FilterSets, after: FilterSets): string[] {
  const lines = (verb: string, from: FilterSets, without: FilterSets) =>
    [...from].flatMap(([name, held]) => {
      const other = without.get(name);
      const elements = [...held].filter((element) => other?.has(element) !== true);
      return elements.length === 0 ? [] : [`${verb} element inet ${NFT_TABLE} ${name} { ${elements.join(', ')} }`];
    });
  return [...lines('delete', before, after), ...lines('add', after, before)];
}
