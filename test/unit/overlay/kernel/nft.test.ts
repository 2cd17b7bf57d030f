/** The vector is what nft 1.0.6 printed. */
import { describe, expect, it } from 'vitest';
import { holdsRuleset, parseNftTable } from '../../../../overlay/nft/nft-json.ts';
import { renderRuleset } from '../../../../overlay/nft/ruleset.ts';
import { aPolicy, desiredOverlay } from '../../../contract/overlay-suite.ts';

function listing(ruleset: ReturnType<typeof renderRuleset>): { [key: string]: { [key: string]: unknown } }[] {
  return [
    { table: { family: 'inet', name: 'thalweg' } },
    ...ruleset.sets.map((name) => ({ set: { name } })),
    ...ruleset.chains.map(({ name, base }) => ({
      chain: base === null ? { name } : { name, hook: base.hook, prio: base.priority, policy: 'accept' },
    })),
    ...ruleset.chains.flatMap(({ name: chain, comments }) => comments.map((comment) => ({ rule: { chain, comment } }))),
  ];
}

function held(items: unknown[], ruleset: ReturnType<typeof renderRuleset>): boolean {
  const parsed = parseNftTable(JSON.stringify({ nftables: items }));
  return parsed.ok && holdsRuleset(parsed.value, ruleset);
}

describe('the nft table', () => {
  const ruleset = renderRuleset(desiredOverlay());

  it('is recognised, and a rule or chain less, more or moved is seen', () => {
    const items = listing(ruleset);
    expect(held(items, ruleset)).toBe(true);
    for (let i = 1; i < items.length; i++) expect(held(items.toSpliced(i, 1), ruleset)).toBe(false);
    expect(held([...items, { rule: { chain: 'forward' } }], ruleset)).toBe(false);
    expect(held([...items, { chain: { name: 'more' } }], ruleset)).toBe(false);
    const rules = items.findIndex((item) => 'rule' in item);
    const swapped = items.with(rules, items[rules + 1] ?? {}).with(rules + 1, items[rules] ?? {});
    expect(held(swapped, ruleset)).toBe(false);
  });

  it('differs between a transit node and a leaf, which accepts no forwarding', () => {
    const leaf = renderRuleset(desiredOverlay({ transit: false }));
    expect(held(listing(leaf), ruleset)).toBe(false);
    expect(leaf.script).not.toMatch(/oifname \{ "twx-a", "twx-b" \} accept/);
    expect(ruleset.script).toMatch(/iifname \{ "twx-a", "twx-b" \} oifname \{ "twx-a", "twx-b" \} accept/);
  });

  it('holds what a peer wraps against its addresses, where one forwards for nobody', () => {
    expect(ruleset.sets).toEqual(['demand4', 'demand6', 'ends', 'own4', 'own6']);
    const peers = desiredOverlay().peers.map((peer) => ({ ...peer, wrapsOnly: null }));
    const open = renderRuleset(desiredOverlay({ peers }));
    expect(open.sets).toEqual(['demand4', 'demand6']);
    expect(open.script).not.toContain('@ends');
    expect(held(listing(open), ruleset)).toBe(false);
  });

  it('gives the elements of the sets of origins as scripts name them', () => {
    const text =
      '{"nftables": [{"set": {"family": "inet", "name": "ends", "table": "tt", "type": "ipv4_addr", "handle": 3, "elem": ["100.112.0.2", "100.112.0.3"]}}, {"set": {"family": "inet", "name": "own4", "table": "tt", "type": ["ipv4_addr", "integer"], "handle": 4, "elem": [{"concat": ["100.112.0.2", 1684013058]}]}}, {"set": {"family": "inet", "name": "own6", "table": "tt", "type": ["ipv4_addr", "integer"], "handle": 5, "elem": [{"concat": ["100.112.0.2", "0xfd740000000000000000000000000002"]}, {"concat": ["100.112.0.3", {"prefix": 1}]}]}}]}';
    const parsed = parseNftTable(text);
    if (!parsed.ok) throw new Error(parsed.reason);
    const [ends = [], own4 = [], own6 = new Set()] = ['ends', 'own4', 'own6'].map((name) =>
      parsed.value.filters.get(name),
    );
    expect([...ends]).toEqual(['100.112.0.2', '100.112.0.3']);
    expect([...own4]).toEqual(['100.112.0.2 . 0x64600002']);
    expect([...own6].slice(0, 1)).toEqual(['100.112.0.2 . 0xfd740000000000000000000000000002']);
    expect(own6.size).toBe(2);
  });

  it('asks a policy last, of what came out of the mesh alone, and drops what no rule lets in', () => {
    const ruleset = renderRuleset(desiredOverlay({ policy: aPolicy(2) }));
    const items = listing(ruleset);
    expect(held(items, ruleset)).toBe(true);
    for (let i = 1; i < items.length; i++) expect(held(items.toSpliced(i, 1), ruleset)).toBe(false);
    const chains = new Map(
      [...ruleset.script.matchAll(/ {2}chain (\w+) \{\n([^}]*(?:\{[^}]*\}[^}]*)*?)\n {2}\}/g)].map(([, name, body]) => [
        name,
        body?.replaceAll(/ comment "[^"]*"/g, '').split('\n    ') ?? [],
      ]),
    );
    expect(chains.get('input')?.at(-1)).toBe('iifname { "tw0", "twx-a", "twx-b" } jump admit');
    const policy = chains.get('admit') ?? [];
    expect(policy.slice(-10)).toEqual([
      'ip6 daddr != fd74:6861:6c77::1 counter drop',
      'ip saddr @p4_1f tcp dport { 22, 8000-8100 } accept',
      'ip saddr @p4_1f meta l4proto icmp accept',
      'ip6 saddr @p6_1f tcp dport { 22, 8000-8100 } accept',
      'ip6 saddr @p6_1f meta l4proto ipv6-icmp accept',
      'ip saddr 100.96.0.0/12 meta l4proto udp accept',
      'ip6 saddr fd74:6861:6c77::/64 meta l4proto udp accept',
      'ip saddr @p4_2e accept',
      'ip6 saddr @p6_2e accept',
      'counter drop',
    ]);
    for (const chain of ['forward', 'output', 'postrouting']) expect(chains.get(chain)?.join()).not.toContain('admit');
  });

  it('gives the counters', () => {
    const text =
      '{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"set": {"family": "inet", "name": "demand4", "table": "thalweg", "type": "ipv4_addr", "handle": 4, "size": 65536, "elem": [{"elem": {"val": "100.96.0.3", "counter": {"packets": 3, "bytes": 252}}}], "stmt": [{"counter": null}]}}]}';
    const parsed = parseNftTable(text);
    expect(parsed.ok && parsed.value.demand).toEqual([{ address: '100.96.0.3', packets: 3, bytes: 252 }]);
  });
});
