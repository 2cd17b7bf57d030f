/** The leaves as a value to keep across a restart of the core, and back. */
import { z } from 'zod';
import type { NextHop } from '../../protocol/route-table.ts';
import { packDelta, packRow, persistedDelta, persistedRow, unpackDelta, unpackRow } from '../persisted-state.ts';
import type { LinkObservation } from '../steering-engine-port.ts';
import type { HomedLeaves } from './homed-leaves.ts';
import type { LeafMember } from './leaf-member.ts';
import { UNREACHED_US } from './leaf-sessions.ts';

const index = z.number().int().min(1);
const count = z.number().nullable();
const bigint = z.string().regex(/^\d{1,20}$/);
/** health (1 up, 2 down), rtt, least rtt, jitter, loss out, loss in, handshake age. */
const word = z.tuple([z.number().int().min(1).max(2), count, count, count, count, count, count]).nullable();

const persistedLeaf = z.strictObject({
  index,
  home: index.nullable(),
  plane: z.enum(['a', 'b']),
  /** From, next hop: the leaf itself at its home. */
  nextHops: z.array(z.tuple([index, index])),
  /** From, and the group that stands in for the one next hop. */
  spread: z.array(z.tuple([index, z.array(z.tuple([index, z.number().int().min(1).max(256)])).min(1)])),
  known: z.boolean(),
  generation: bigint,
  rows: z.array(persistedRow),
  inFlight: persistedDelta.nullable(),
  /** Transit node, the leaf's word, the transit node's. */
  links: z.array(z.tuple([index, word, word])),
  /** Transit node, RTT that was measured to it once: what was tried out is not tried again. */
  rtts: z.array(z.tuple([index, z.number().min(0)])).default([]),
});
export const persistedLeaves = z.array(persistedLeaf);

export type PersistedLeaf = z.infer<typeof persistedLeaf>;
export type PersistedLeaves = z.infer<typeof persistedLeaves>;
type PersistedWord = z.infer<typeof word>;

export function exportLeaves(homed: HomedLeaves): PersistedLeaves {
  return [...homed.book.leaves.values()].sort((a, b) => a.index - b.index).map((leaf) => exportLeaf(homed, leaf));
}

export function exportLeaf(homed: HomedLeaves, leaf: LeafMember): PersistedLeaf {
  const held = leaf.table.export();
  return {
    index: leaf.index,
    home: homed.book.homeOf(leaf.index) ?? null,
    plane: leaf.rollout.plane,
    nextHops: [...homed.nextHopsTo(leaf)],
    spread: [...homed.groupsTo(leaf)].map(([from, hops]): [number, [number, number][]] => [
      from,
      hops.map(({ neighbour, weight }) => [neighbour, weight]),
    ]),
    known: held.known,
    generation: held.generation.toString(),
    rows: held.rows.map(packRow),
    inFlight: held.inFlight === null ? null : packDelta(held.inFlight),
    links: [...leaf.links].map(([transit, { own, theirs }]): PersistedLeaf['links'][number] => [
      transit,
      packWord(own?.observation),
      packWord(theirs?.observation),
    ]),
    rtts: [...leaf.knownRttUs].filter(([, us]) => us !== UNREACHED_US),
  };
}

/** Puts leaves back that are known by now. What names unknown nodes is left out. */
export function importLeaves(homed: HomedLeaves, saved: PersistedLeaves, nowMs: number): void {
  for (const { index: at, home, plane, nextHops, spread, known, generation, rows, inFlight, links, rtts } of saved) {
    const leaf = homed.book.leaves.get(at);
    if (leaf === undefined) continue;
    leaf.table.import(BigInt(generation), rows.map(unpackRow), known, unpackDelta(inFlight));
    leaf.everConnected = rows.length > 0;
    for (const row of rows.map(unpackRow)) {
      if (row.blockBits === 0) leaf.exceptions.set(row.destination, row.nextHops[0]?.neighbour ?? 0);
    }
    for (const [transit, us] of rtts) if (homed.book.knows(transit)) leaf.knownRttUs.set(transit, us);
    for (const [transit, own, theirs] of links) {
      if (!homed.book.open(leaf, transit, nowMs)) continue;
      if (own !== null) homed.book.take(leaf, transit, 'leaf', unpackWord(transit, own), nowMs);
      if (theirs !== null) homed.book.take(leaf, transit, 'transit', unpackWord(at, theirs), nowMs);
    }
    const groups = spread.map(([from, hops]): [number, NextHop[]] => [
      from,
      hops.map(([neighbour, weight]) => ({ neighbour, weight })),
    ]);
    if (home !== null) homed.restoreHome(leaf, home, plane, new Map(nextHops), groups, nowMs);
  }
}

function packWord(o: LinkObservation | undefined): PersistedWord {
  if (o === undefined || o.health === 'unmeasured') return null;
  const health = o.health === 'up' ? 1 : 2;
  return [health, o.rttUs, o.minRttUs, o.jitterUs, o.lossOutPpm, o.lossInPpm, o.handshakeAgeS];
}

function unpackWord(
  peerIndex: number,
  [health, rttUs, minRttUs, jitterUs, lossOutPpm, lossInPpm, handshakeAgeS]: NonNullable<PersistedWord>,
): LinkObservation {
  const measured = { rttUs, minRttUs, jitterUs, lossOutPpm, lossInPpm, handshakeAgeS };
  return { peerIndex, health: health === 1 ? 'up' : 'down', ...measured };
}
