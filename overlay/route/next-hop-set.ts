/**
 * Ids of next-hop objects and groups. An object of ours in the kernel that has the wanted content is used as it is;
 * a new one gets an id that follows from a hash of its content, so that the same desired state gives the same ids on
 * every host and after every restart, and goes on to the next free id where that one is taken.
 */
import { ThalwegError } from '../../protocol/error.ts';
import {
  NEXT_HOP_ID_COUNT,
  NEXT_HOP_ID_FIRST,
  PLANE_DEVICES,
  ROUTE_PROTOCOL,
  TUNNEL_DEVICE,
  VXLAN_VNI,
} from '../overlay-names.ts';
import type { OverlayNextHop } from '../overlay-state.ts';
import type { Family, KernelNextHop } from './kernel-snapshot.ts';

export class NextHopSet {
  /** `ip` commands, in order. IPv6 next hops need a batch of their own (`ip -6`), groups must not be in it. */
  readonly addSix: string[] = [];
  readonly add: string[] = [];
  readonly #byContent = new Map<string, number>();
  readonly #taken = new Set<number>();
  readonly #used = new Set<number>();
  readonly #added: KernelNextHop[] = [];
  readonly #ours: readonly KernelNextHop[];

  constructor(kernel: readonly KernelNextHop[]) {
    this.#ours = kernel.filter(isOurs);
    for (const { id } of kernel) this.#taken.add(id);
    for (const nextHop of [...this.#ours].sort((a, b) => a.id - b.id)) {
      const content = nextHop.members === null ? singleContent(nextHop) : groupContent(nextHop.members);
      if (content !== undefined && !this.#byContent.has(content)) this.#byContent.set(content, nextHop.id);
    }
  }

  /** Id of the object that a route with these next hops points at; adds what is missing. */
  idFor(family: Family, nextHops: readonly OverlayNextHop[]): number {
    const weights = new Map<number, number>();
    for (const nextHop of nextHops) {
      const id = this.#single(family, nextHop);
      weights.set(id, Math.min(256, (weights.get(id) ?? 0) + nextHop.weight));
    }
    const members = [...weights].map(([id, weight]) => ({ id, weight })).sort((a, b) => a.id - b.id);
    const [only] = members;
    if (only !== undefined && members.length === 1) return only.id;
    const content = groupContent(members);
    return this.#resolve(content, (id) => {
      this.#note({ id, members });
      const list = members.map((m) => `${m.id},${m.weight}`).join('/');
      this.add.push(`nexthop add id ${id} group ${list} protocol ${ROUTE_PROTOCOL}`);
    });
  }

  /** Commands that delete what no route asked for: groups first, since a group goes when its members go. */
  deletions(): string[] {
    const unused = this.#ours.filter(({ id }) => !this.#used.has(id));
    return [...unused.filter((n) => n.members !== null), ...unused.filter((n) => n.members === null)].map(
      ({ id }) => `nexthop del id ${id}`,
    );
  }

  /** Objects that routes asked for: what stays of ours once the commands have run. */
  wanted(): KernelNextHop[] {
    return [...this.#ours, ...this.#added].filter(({ id }) => this.#used.has(id));
  }

  #note(nextHop: Pick<KernelNextHop, 'id'> & Partial<KernelNextHop>): void {
    this.#added.push({
      protocol: ROUTE_PROTOCOL,
      family: null,
      device: null,
      outerDst: null,
      members: null,
      ...nextHop,
    });
  }

  #single(family: Family, nextHop: OverlayNextHop): number {
    if (nextHop.kind === 'direct') {
      return this.#resolve(`${family} ${TUNNEL_DEVICE}`, (id) => {
        this.#note({ id, family, device: TUNNEL_DEVICE });
        const command = `nexthop add id ${id} dev ${TUNNEL_DEVICE} protocol ${ROUTE_PROTOCOL}`;
        (family === 6 ? this.addSix : this.add).push(command);
      });
    }
    const { device } = PLANE_DEVICES[nextHop.plane];
    return this.#resolve(`${family} ${device} ${nextHop.via}`, (id) => {
      this.#note({ id, family, device, outerDst: nextHop.via });
      const command = `nexthop add id ${id} encap ip id ${VXLAN_VNI} dst ${nextHop.via} dev ${device} protocol ${ROUTE_PROTOCOL}`;
      (family === 6 ? this.addSix : this.add).push(command);
    });
  }

  #resolve(content: string, add: (id: number) => void): number {
    const known = this.#byContent.get(content);
    if (known !== undefined) {
      this.#used.add(known);
      return known;
    }
    const start = hash(content) % NEXT_HOP_ID_COUNT;
    for (let step = 0; step < NEXT_HOP_ID_COUNT; step++) {
      const id = NEXT_HOP_ID_FIRST + ((start + step) % NEXT_HOP_ID_COUNT);
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      this.#used.add(id);
      this.#byContent.set(content, id);
      add(id);
      return id;
    }
    throw new ThalwegError('internal', `all ${NEXT_HOP_ID_COUNT} ids of next hops are in use`);
  }
}

/** Ours: the protocol number and the id range both say so. */
export function isOurs(nextHop: KernelNextHop): boolean {
  const offset = nextHop.id - NEXT_HOP_ID_FIRST;
  return nextHop.protocol === ROUTE_PROTOCOL && offset >= 0 && offset < NEXT_HOP_ID_COUNT;
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
