/** `nft -j list table` taken apart: as much as tells whether the table is the wanted one, and the demand counters. Pure. */
import type { Parsed } from '../../protocol/error.ts';
import type { DemandCounter } from '../overlay-state.ts';
import { canonicalAddress } from '../route/kernel-snapshot.ts';
import { ORIGIN_SETS, type OriginElements, type OriginSetName, originElement } from './origin-sets.ts';
import { NFT_CHAINS, type NftChainName, type NftRuleset } from './ruleset.ts';

type Json = Readonly<Record<string, unknown>>;

export interface NftTable {
  readonly chains: readonly {
    readonly name: string;
    readonly hook: string;
    readonly priority: number;
    readonly policy: string;
  }[];
  readonly sets: readonly string[];
  /** Comment of each rule ('' for none) in the order of the kernel. */
  readonly rules: readonly { readonly chain: string; readonly comment: string }[];
  readonly demand: readonly DemandCounter[];
  /** Elements of the sets of origins; of a terse listing none. */
  readonly origins: OriginElements;
}

export function parseNftTable(text: string): Parsed<NftTable> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'nft printed what is not JSON' };
  }
  const items = isJson(value) ? value['nftables'] : undefined;
  if (!Array.isArray(items)) return { ok: false, reason: 'nft printed JSON without nftables' };
  const chains: NftTable['chains'][number][] = [];
  const rules: NftTable['rules'][number][] = [];
  const sets: string[] = [];
  const demand: DemandCounter[] = [];
  const origins: Record<OriginSetName, Set<string>> = { ends: new Set(), own4: new Set(), own6: new Set() };
  for (const item of items as unknown[]) {
    if (!isJson(item)) continue;
    const { chain, rule, set } = item;
    if (isJson(chain)) {
      chains.push({
        name: textOf(chain['name']),
        hook: textOf(chain['hook']),
        priority: typeof chain['prio'] === 'number' ? chain['prio'] : Number.NaN,
        policy: textOf(chain['policy']),
      });
    } else if (isJson(rule)) {
      rules.push({ chain: textOf(rule['chain']), comment: textOf(rule['comment']) });
    } else if (isJson(set)) {
      const name = textOf(set['name']);
      const elements = Array.isArray(set['elem']) ? (set['elem'] as unknown[]) : [];
      sets.push(name);
      const origin = ORIGIN_SETS.find((known) => known === name);
      if (origin === undefined) demand.push(...elements.flatMap(parseElement));
      else for (const element of elements) origins[origin].add(parseOrigin(element));
    }
  }
  return { ok: true, value: { chains, sets, rules, demand, origins } };
}

/** True when the kernel holds the table of this ruleset: every chain and set is there and no rule is missing, added or moved. */
export function holdsRuleset(table: NftTable, ruleset: NftRuleset): boolean {
  if (!ruleset.sets.every((name) => table.sets.includes(name))) return false;
  const names = Object.keys(NFT_CHAINS) as NftChainName[];
  if (table.chains.length !== names.length) return false;
  return names.every((name) => {
    const chain = table.chains.find((candidate) => candidate.name === name);
    const { hook, priority } = NFT_CHAINS[name];
    if (chain?.hook !== hook || chain.priority !== priority || chain.policy !== 'accept') return false;
    const held = table.rules.filter((rule) => rule.chain === name).map((rule) => rule.comment);
    const wanted = ruleset.comments[name];
    return held.length === wanted.length && held.every((comment, index) => comment === wanted[index]);
  });
}

/** The element as a script names it; what is none of ours keeps some name, and is taken out by it or not at all. */
function parseOrigin(item: unknown): string {
  const parts = isJson(item) ? item['concat'] : undefined;
  if (!Array.isArray(parts)) return nameOf(item);
  const [outer, inner] = parts as unknown[];
  const isNumber =
    (typeof inner === 'number' && Number.isSafeInteger(inner) && inner >= 0) ||
    (typeof inner === 'string' && /^0x[0-9a-f]{1,32}$/.test(inner));
  return isNumber ? originElement(nameOf(outer), BigInt(inner)) : `${nameOf(outer)} . ${nameOf(inner)}`;
}

function nameOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function parseElement(item: unknown): DemandCounter[] {
  const element = isJson(item) && isJson(item['elem']) ? item['elem'] : undefined;
  const counter = element?.['counter'];
  if (element === undefined || typeof element['val'] !== 'string' || !isJson(counter)) return [];
  const { bytes, packets } = counter;
  if (typeof bytes !== 'number' || typeof packets !== 'number') return [];
  return [{ address: canonicalAddress(element['val']), bytes, packets }];
}

/** Empty for what is no text: JSON has objects that `String` throws for. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
