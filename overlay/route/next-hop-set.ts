/**
 * Ids of next-hop objects and groups. An object of ours in the kernel that has the wanted content is used as it is;
 * a new one gets an id that follows from a hash of its content, so that the same desired state gives the same ids on
 * every host and after every restart, and goes on to the next free id where that one is taken.
 *
 * A route with a standby points at an object of its own kind: shared by the routes with the same standby and nobody else, so
 * that one `nexthop replace` moves them all and no others. It keeps its id while the routes that have it go on together.
 *
 * A group whose weights change, or that gets or loses members, keeps its id: the kernel then moves as few flows as that asks for. Members are
 * written in the order of their neighbours, so that a group on the other plane sends a flow to the neighbour that it had.
 */
import { ThalwegError } from '../../protocol/error.ts';
import {
  GROUP_TYPE,
  NEXT_HOP_ID_COUNT,
  NEXT_HOP_ID_FIRST,
  PLANE_DEVICES,
  ROUTE_PROTOCOL,
  TUNNEL_DEVICE,
  VXLAN_VNI,
} from '../overlay-names.ts';
import type { OverlayNextHop } from '../overlay-state.ts';
import type { Family, KernelNextHop } from './kernel-snapshot.ts';

type Member = { readonly id: number; readonly weight: number };

export class NextHopSet {
  /** `ip` commands, in order. IPv6 next hops need a batch of their own (`ip -6`), groups must not be in it. */
  readonly addSix: string[] = [];
  readonly add: string[] = [];
  readonly #byContent = new Map<string, number>();
  /** All objects that the kernel has of a content, least id first. */
  readonly #idsByContent = new Map<string, number[]>();
  readonly #taken = new Set<number>();
  readonly #used = new Set<number>();
  readonly #added: KernelNextHop[] = [];
  readonly #ours: Map<number, KernelNextHop>;
  readonly #resilient: boolean;
  /** Groups that some route is to have. */
  readonly #expected = new Set<string>();
  /** Objects of routes with a standby, by family and standby. */
  readonly #standbyIds = new Map<string, number>();
  /** Members of groups: not to be changed for what routes alone want. */
  readonly #members = new Set<number>();

  /** `resilient`: the kernel knows such groups (5.13 and newer). */
  constructor(kernel: readonly KernelNextHop[], resilient = true) {
    this.#resilient = resilient;
    this.#ours = new Map(kernel.filter(isOurs).map((nextHop) => [nextHop.id, nextHop]));
    for (const { id, members } of kernel) {
      this.#taken.add(id);
      for (const member of members ?? []) this.#members.add(member.id);
    }
    for (const nextHop of [...this.#ours.values()].sort((a, b) => a.id - b.id)) {
      const content = this.#contentOf(nextHop);
      if (content === undefined) continue;
      if (!this.#byContent.has(content)) this.#byContent.set(content, nextHop.id);
      const ids = this.#idsByContent.get(content);
      if (ids === undefined) this.#idsByContent.set(content, [nextHop.id]);
      else ids.push(nextHop.id);
    }
  }

  /** A route is to have these next hops: their group, where it is there already, must stay as it is. Before `idFor`. */
  expect(family: Family, nextHops: readonly OverlayNextHop[]): void {
    if (nextHops.length < 2) return;
    this.#expected.add(groupContent(this.#membersOf(family, nextHops)));
  }

  /**
   * Id of the object that a route with these next hops points at; adds what is missing. `heldId`: where the route points
   * now; where that is a group of these members, more or fewer, that nobody is to have any more, it is changed.
   */
  idFor(family: Family, nextHops: readonly OverlayNextHop[], heldId: number | null = null): number {
    const members = this.#membersOf(family, nextHops);
    const [only] = members;
    if (only !== undefined && members.length === 1) return only.id;
    const content = groupContent(members);
    if (!this.#byContent.has(content) && this.#takeOver(content, members, heldId)) return heldId ?? 0;
    return this.#resolve(content, (id) => {
      this.#note({ id, members, resilient: this.#resilient });
      this.add.push(this.#groupCommand('add', id, members));
    });
  }

  /**
   * Id of the object of the routes with a standby of this key, that holds `live` from now on. Before any `idFor`: what is
   * taken here is not given to others.
   * @param held where such routes point now, and nobody else does
   */
  standbyIdFor(family: Family, key: string, live: OverlayNextHop, held: number | null): number {
    const name = `${family} standby ${key}`;
    const known = this.#standbyIds.get(name);
    if (known !== undefined) return known;
    const id = this.#reusable(family, held) ? held : this.#freeId(name);
    const content = contentFor(family, live);
    const before = this.#ours.get(id);
    if (before === undefined || singleContent(before) !== content) {
      const command = `${singleCommand(before === undefined ? 'add' : 'replace', id, live)}`;
      (family === 6 ? this.addSix : this.add).push(command);
      this.#ours.delete(id);
      this.#note({ id, family, ...placeOf(live) });
    }
    this.#standbyIds.set(name, id);
    this.#used.add(id);
    if (before !== undefined) this.#keepFromOthers(before, this.#contentOf(before));
    return id;
  }

  #reusable(family: Family, held: number | null): held is number {
    if (held === null || this.#used.has(held) || this.#members.has(held)) return false;
    const object = this.#ours.get(held);
    return object !== undefined && object.members === null && object.family === family;
  }

  /** Whoever wants what the object held gets another one. */
  #keepFromOthers({ id }: Pick<KernelNextHop, 'id'>, content: string | undefined): void {
    if (content === undefined || this.#byContent.get(content) !== id) return;
    const other = this.#idsByContent.get(content)?.find((known) => !this.#used.has(known));
    if (other === undefined) this.#byContent.delete(content);
    else this.#byContent.set(content, other);
  }

  #membersOf(family: Family, nextHops: readonly OverlayNextHop[]): Member[] {
    const weights = new Map<number, number>();
    for (const nextHop of [...nextHops].sort(byNeighbour)) {
      const id = this.#single(family, nextHop);
      weights.set(id, Math.min(256, (weights.get(id) ?? 0) + nextHop.weight));
    }
    return [...weights].map(([id, weight]) => ({ id, weight }));
  }

  #takeOver(content: string, members: readonly Member[], heldId: number | null): boolean {
    const held = heldId === null ? undefined : this.#ours.get(heldId);
    if (heldId === null || held === undefined || held.members === null || !this.#resilient || !held.resilient)
      return false;
    const before = groupContent(held.members);
    const shared = held.members.filter((member) => members.some(({ id }) => id === member.id)).length;
    // members that came or went, not both: with others in their place, as on another plane, a fresh group keeps more flows
    const same = shared === Math.min(held.members.length, members.length);
    if (!same || this.#used.has(heldId) || this.#expected.has(before)) return false;
    this.#ours.set(heldId, { ...held, members });
    this.#byContent.delete(before);
    this.#byContent.set(content, heldId);
    this.#used.add(heldId);
    this.add.push(this.#groupCommand('replace', heldId, members));
    return true;
  }

  #groupCommand(verb: 'add' | 'replace', id: number, members: readonly Member[]): string {
    const list = members.map((m) => `${m.id},${m.weight}`).join('/');
    const type = this.#resilient ? `${GROUP_TYPE} ` : '';
    return `nexthop ${verb} id ${id} group ${list} ${type}protocol ${ROUTE_PROTOCOL}`;
  }

  /** Undefined for what is of no use: a foreign kind of object, or a group of a type that is not made (any more). */
  #contentOf(nextHop: KernelNextHop): string | undefined {
    if (nextHop.members === null) return singleContent(nextHop);
    return nextHop.resilient === this.#resilient ? groupContent(nextHop.members) : undefined;
  }

  /** Commands that delete what no route asked for: groups first, since a group goes when its members go. */
  deletions(): string[] {
    const unused = [...this.#ours.values()].filter(({ id }) => !this.#used.has(id));
    return [...unused.filter((n) => n.members !== null), ...unused.filter((n) => n.members === null)].map(
      ({ id }) => `nexthop del id ${id}`,
    );
  }

  /** Objects that routes asked for: what stays of ours once the commands have run. */
  wanted(): KernelNextHop[] {
    return [...this.#ours.values(), ...this.#added].filter(({ id }) => this.#used.has(id));
  }

  #note(nextHop: Pick<KernelNextHop, 'id'> & Partial<KernelNextHop>): void {
    this.#added.push({
      protocol: ROUTE_PROTOCOL,
      family: null,
      device: null,
      outerDst: null,
      members: null,
      resilient: false,
      ...nextHop,
    });
  }

  #single(family: Family, nextHop: OverlayNextHop): number {
    return this.#resolve(contentFor(family, nextHop), (id) => {
      this.#note({ id, family, ...placeOf(nextHop) });
      (family === 6 ? this.addSix : this.add).push(singleCommand('add', id, nextHop));
    });
  }

  #resolve(content: string, add: (id: number) => void): number {
    const known = this.#byContent.get(content);
    if (known !== undefined) {
      this.#used.add(known);
      return known;
    }
    const id = this.#freeId(content);
    this.#used.add(id);
    this.#byContent.set(content, id);
    add(id);
    return id;
  }

  #freeId(content: string): number {
    const start = hash(content) % NEXT_HOP_ID_COUNT;
    for (let step = 0; step < NEXT_HOP_ID_COUNT; step++) {
      const id = NEXT_HOP_ID_FIRST + ((start + step) % NEXT_HOP_ID_COUNT);
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    throw new ThalwegError('internal', `all ${NEXT_HOP_ID_COUNT} ids of next hops are in use`);
  }
}

/** Direct first, then by the neighbour's address, whatever the plane. */
function byNeighbour(a: OverlayNextHop, b: OverlayNextHop): number {
  const [left, right] = [a, b].map((hop) => (hop.kind === 'direct' ? 0 : addressNumber(hop.via)));
  return (left ?? 0) - (right ?? 0);
}

function addressNumber(address: string): number {
  return address.split('.').reduce((value, part) => value * 256 + Number(part), 0);
}

/** Ours: the protocol number and the id range both say so. */
export function isOurs(nextHop: KernelNextHop): boolean {
  const offset = nextHop.id - NEXT_HOP_ID_FIRST;
  return nextHop.protocol === ROUTE_PROTOCOL && offset >= 0 && offset < NEXT_HOP_ID_COUNT;
}

/** Where a single next hop sends. */
export function placeOf(hop: OverlayNextHop): Pick<KernelNextHop, 'device' | 'outerDst'> {
  if (hop.kind === 'direct') return { device: TUNNEL_DEVICE, outerDst: null };
  return { device: PLANE_DEVICES[hop.plane].device, outerDst: hop.via };
}

/** The command that makes a single next hop, or puts it in place of one of the same family. */
export function singleCommand(verb: 'add' | 'replace', id: number, hop: OverlayNextHop): string {
  const { device, outerDst } = placeOf(hop);
  const encap = outerDst === null ? '' : `encap ip id ${VXLAN_VNI} dst ${outerDst} `;
  return `nexthop ${verb} id ${id} ${encap}dev ${device} protocol ${ROUTE_PROTOCOL}`;
}

function contentFor(family: Family, hop: OverlayNextHop): string {
  const { device, outerDst } = placeOf(hop);
  return outerDst === null ? `${family} ${device}` : `${family} ${device} ${outerDst}`;
}

function singleContent({ family, device, outerDst }: KernelNextHop): string | undefined {
  if (device === null) return undefined;
  if (device === TUNNEL_DEVICE) return outerDst === null ? `${family} ${device}` : undefined;
  return outerDst === null ? undefined : `${family} ${device} ${outerDst}`;
}

function groupContent(members: readonly { readonly id: number; readonly weight: number }[]): string {
  return `group ${[...members]
    .sort((a, b) => a.id - b.id)
    .map((m) => `${m.id}*${m.weight}`)
    .join(' ')}`;
}

/** FNV-1a, 32 bit. */
function hash(content: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < content.length; i++) value = Math.imul(value ^ content.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
