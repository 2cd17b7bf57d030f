/**
 * The nodes of the mesh, in memory with the store behind: every change is durable before it is visible here. Also
 * gives out indexes, and with them addresses.
 */
import type { AddressRanges } from '../../protocol/address-plan.ts';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { NodeId, NodeIndex, NodeName, PublicKey } from '../../protocol/identifier.ts';
import type { Actor, Labels, NodeHost, NodeRecord, Store } from '../store/store.ts';
import { IndexAllocator } from './index-allocator.ts';

/** Longer than any cache of ours: sessions, handshakes (180 s) and kernel route exceptions are gone by then. */
export const INDEX_QUARANTINE_MS = 10 * 60_000;

/** What a joining device brings, checked. */
export interface Candidate {
  readonly id: NodeId;
  /** Null: `node-<index>`. */
  readonly name: NodeName | null;
  readonly publicKey: PublicKey;
  readonly tlsKeyHash: string;
  readonly labels: Labels;
  readonly tokenId: string;
  readonly serial: string;
  readonly certificateExpiresAtMs: number;
}

export interface NodeChange {
  readonly before: NodeRecord | undefined;
  readonly after: NodeRecord | undefined;
}

export class NodeRegistry {
  readonly ranges: AddressRanges;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #byId = new Map<string, NodeRecord>();
  readonly #byIndex = new Map<number, NodeRecord>();
  readonly #byName = new Map<string, NodeRecord>();
  readonly #byKey = new Map<string, NodeRecord>();
  readonly #quarantineMs: number;
  #indexes: IndexAllocator;
  readonly #seen = new Map<NodeId, number>();

  constructor(deps: { store: Store; clock: Clock }, options: { ranges: AddressRanges; quarantineMs?: number }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.ranges = options.ranges;
    this.#quarantineMs = options.quarantineMs ?? INDEX_QUARANTINE_MS;
    this.#indexes = this.#load();
  }

  /** Reads everything anew: a commit failed with changes that were already visible here. */
  reload(): void {
    for (const map of [this.#byId, this.#byIndex, this.#byName, this.#byKey]) map.clear();
    this.#indexes = this.#load();
  }

  /**
   * Takes over what other cores have made of these nodes. `stored`: what the store has of a node now. Says what changed here:
   * before and after, undefined where there is no such node.
   */
  refresh(ids: readonly string[], stored: (id: string) => NodeRecord | undefined): NodeChange[] {
    const changes = ids.map((id): NodeChange => ({ before: this.#byId.get(id), after: stored(id) }));
    // first what goes: somebody else may hold its index or name by now
    for (const { before, after } of changes) {
      if (before === undefined) continue;
      this.#forget(before);
      if (after === undefined) this.#indexes.release(before.index, this.#clock.nowMs());
    }
    for (const { after } of changes) {
      if (after === undefined) continue;
      this.#indexes.hold(after.index);
      this.#keep(after);
    }
    return changes.filter(({ before, after }) => before !== undefined || after !== undefined);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** In the order of their indexes. */
  nodes(): NodeRecord[] {
    return [...this.#byIndex.values()].sort((a, b) => a.index - b.index);
  }

  byId(id: string): NodeRecord | undefined {
    return this.#byId.get(id);
  }

  byIndex(index: number): NodeRecord | undefined {
    return this.#byIndex.get(index);
  }

  byName(name: string): NodeRecord | undefined {
    return this.#byName.get(name);
  }

  byPublicKey(key: PublicKey): NodeRecord | undefined {
    return this.#byKey.get(key);
  }

  wasRemoved(id: string): boolean {
    return this.#store.wasRemoved(id);
  }

  /** Gives the candidate an index and a name and saves it with the token's use, in one commit. Throws also addresses_exhausted. */
  admit(candidate: Candidate): NodeRecord {
    const nowMs = this.#clock.nowMs();
    const index = this.#indexes.lowestFree(nowMs);
    if (index === undefined) {
      throw new ThalwegError('addresses_exhausted', `all ${this.ranges.maxIndex} addresses of the ranges are held`, {
        nextStep: 'remove nodes that are gone; an index is free 10 minutes after its node was removed',
      });
    }
    const node: NodeRecord = {
      ...candidate,
      index: index as NodeIndex,
      name: candidate.name ?? this.#deriveName(index),
      joinedAtMs: nowMs,
      lastSeenAtMs: nowMs,
      previousSerial: null,
      host: null,
    };
    this.#store.admitNode(node);
    this.#indexes.hold(index);
    this.#keep(node);
    return node;
  }

  /** A new certificate for a node; `previousSerial` stays good beside it. `rejoined`: it asked by token, not by session. */
  setCertificate(
    node: NodeRecord,
    certificate: { serial: string; expiresAtMs: number },
    previousSerial: string,
    rejoined: boolean,
  ): NodeRecord {
    const { serial, expiresAtMs } = certificate;
    const lastSeenAtMs = this.#clock.nowMs();
    const changed = { ...node, serial, previousSerial, certificateExpiresAtMs: expiresAtMs, lastSeenAtMs };
    if (rejoined) this.#store.readmitNode(changed);
    else this.#store.setCertificate(node.id, serial, previousSerial, expiresAtMs);
    return this.#keep(changed);
  }

  /** All labels of the node, from now on. `change`: what and who, for the audit. */
  setLabels(node: NodeRecord, labels: Labels, change: { readonly detail: string; readonly by: Actor }): NodeRecord {
    this.#store.setLabels(node.id, labels, this.#clock.nowMs(), change);
    return this.#keep({ ...node, labels });
  }

  /** Throws conflict when another node holds the key. */
  setPublicKey(node: NodeRecord, publicKey: PublicKey): NodeRecord {
    this.#store.setPublicKey(node.id, publicKey, this.#clock.nowMs());
    this.#byKey.delete(node.publicKey);
    return this.#keep({ ...node, publicKey });
  }

  setHost(node: NodeRecord, host: NodeHost): NodeRecord {
    const lastSeenAtMs = this.#clock.nowMs();
    this.#store.setHost(node.id, host, lastSeenAtMs);
    return this.#keep({ ...node, host, lastSeenAtMs });
  }

  /** Remembers that the node is there now; durable with the next `flushLastSeen`. */
  touch(node: NodeRecord): void {
    const lastSeenAtMs = this.#clock.nowMs();
    this.#seen.set(node.id, lastSeenAtMs);
    this.#keep({ ...node, lastSeenAtMs });
  }

  /** Saves what `touch` remembered, all nodes in one commit. */
  flushLastSeen(): void {
    if (this.#seen.size === 0) return;
    this.#store.setLastSeen(this.#seen);
    this.#seen.clear();
  }

  /** False when it was not there. */
  remove(node: NodeRecord, by: Actor): boolean {
    const nowMs = this.#clock.nowMs();
    if (!this.#store.removeNode(node.id, nowMs, by)) return false;
    this.#forget(node);
    this.#indexes.release(node.index, nowMs);
    return true;
  }

  #forget(node: NodeRecord): void {
    this.#byId.delete(node.id);
    this.#byIndex.delete(node.index);
    this.#byName.delete(node.name);
    this.#byKey.delete(node.publicKey);
  }

  #load(): IndexAllocator {
    const indexes = new IndexAllocator({ maxIndex: this.ranges.maxIndex, quarantineMs: this.#quarantineMs });
    for (const { index, removedAtMs } of this.#store.removedSince(this.#clock.nowMs() - this.#quarantineMs)) {
      indexes.release(index, removedAtMs);
    }
    for (const node of this.#store.nodes()) {
      this.#keep(node);
      indexes.hold(node.index);
    }
    return indexes;
  }

  #keep(node: NodeRecord): NodeRecord {
    this.#byId.set(node.id, node);
    this.#byIndex.set(node.index, node);
    this.#byName.set(node.name, node);
    this.#byKey.set(node.publicKey, node);
    return node;
  }

  /** `node-7`; when somebody took that as a given name, `node-7-2` and on. */
  #deriveName(index: number): NodeName {
    let name = `node-${index}`;
    for (let attempt = 2; this.#byName.has(name); attempt++) name = `node-${index}-${attempt}`;
    return name as NodeName;
  }
}
