/** `nft -j list table` taken apart: as much as tells whether the table is the wanted one, and the demand counters. Pure. */
import type { Parsed } from '../../protocol/error.ts';
import type { DemandCounter, TrafficCount } from '../overlay-state.ts';
import { canonicalAddress } from '../route/kernel-snapshot.ts';
import { DEMAND_SETS, type FilterSets } from './filter-sets.ts';
import { originElement } from './origin-sets.ts';
import type { NftRuleset } from './ruleset.ts';

type Json = Readonly<Record<string, unknown>>;

export interface NftTable {
  readonly chains: readonly {
    readonly name: string;
    /** Null: it is jumped to. */
    readonly base: { readonly hook: string; readonly priority: number; readonly policy: string } | null;
  }[];
  readonly sets: readonly string[];
  /** Comment of each rule ('' for none) in the order of the kernel. */
  readonly rules: readonly { readonly chain: string; readonly comment: string }[];
  readonly demand: readonly DemandCounter[];
  /** Elements of the other sets; of a terse listing none. */
  readonly filters: FilterSets;
  /** What the chain of the policy dropped; null: there is no such chain. */
  readonly denied: TrafficCount | null;
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
  const filters = new Map<string, ReadonlySet<string>>();
  let denied: TrafficCount | null = null;
  for (const item of items as unknown[]) {
    if (!isJson(item)) continue;
    const { chain, rule, set } = item;
    if (isJson(chain)) {
      const { prio, hook, policy } = chain;
      const name = textOf(chain['name']);
      const priority = typeof prio === 'number' ? prio : Number.NaN;
      chains.push({ name, base: hook === undefined ? null : { hook: textOf(hook), priority, policy: textOf(policy) } });
      if (name === 'admit') denied ??= { packets: 0, bytes: 0 };
    } else if (isJson(rule)) {
      rules.push({ chain: textOf(rule['chain']), comment: textOf(rule['comment']) });
      if (rule['chain'] === 'admit') denied = addDropped(denied, rule['expr']);
    } else if (isJson(set)) {
      const name = textOf(set['name']);
      const elements = Array.isArray(set['elem']) ? (set['elem'] as unknown[]) : [];
      sets.push(name);
      if (DEMAND_SETS.includes(name)) demand.push(...elements.flatMap(parseElement));
      else filters.set(name, new Set(elements.map(parseMember)));
    }
  }
  return { ok: true, value: { chains, sets, rules, demand, filters, denied } };
}

/** True when the kernel holds the table of this ruleset: every chain and set is there and no rule is missing, added or moved. */
export function holdsRuleset(table: NftTable, ruleset: NftRuleset): boolean {
  if (!ruleset.sets.every((name) => table.sets.includes(name))) return false;
  if (table.chains.length !== ruleset.chains.length) return false;
  return ruleset.chains.every(({ name, base, comments }) => {
    const chain = table.chains.find((candidate) => candidate.name === name);
    if (chain === undefined || (chain.base === null) !== (base === null)) return false;
    if (chain.base !== null && base !== null) {
      const { hook, priority, policy } = chain.base;
      if (hook !== base.hook || priority !== base.priority || policy !== 'accept') return false;
    }
    const held = table.rules.filter((rule) => rule.chain === name).map((rule) => rule.comment);
    return held.length === comments.length && held.every((comment, index) => comment === comments[index]);
  });
}

/** The element as a script names it; what is none of ours keeps some name, and is taken out by it or not at all. */
function parseMember(item: unknown): string {
  const parts = isJson(item) ? item['concat'] : undefined;
  if (!Array.isArray(parts)) return typeof item === 'string' ? canonicalAddress(item) : nameOf(item);
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

/** What a rule counted that drops; a rule that only counts, or lets in, adds nothing. */
function addDropped(sum: TrafficCount | null, expressions: unknown): TrafficCount {
  const { packets, bytes } = sum ?? { packets: 0, bytes: 0 };
  const parts = Array.isArray(expressions) ? (expressions as unknown[]).filter(isJson) : [];
  const counter = parts.map((part) => part['counter']).find(isJson);
  if (counter === undefined || !parts.some((part) => 'drop' in part)) return { packets, bytes };
  const [more, moreBytes] = [counter['packets'], counter['bytes']];
  if (typeof more !== 'number' || typeof moreBytes !== 'number') return { packets, bytes };
  return { packets: packets + more, bytes: bytes + moreBytes };
}

/** Empty for what is no text: JSON has objects that `String` throws for. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
