/**
 * Turns of nodes' WireGuard keys. The next key is on the core's disk before the node uses it, and becomes the node's key when the
 * node says that its device has it; until then the node may come with either:
 *
 *   node                                 core                                 peers
 *     | KeyProposal (next public key) ---->|  saved as the next one
 *     |<---------------- KeyTurn ACCEPTED  |
 *  wg set private-key                      |
 *     | KeyInUse ------------------------->|  saved as the node's own
 *     |<-------------------- KeyTurn DONE  |  PeerUpdate ------------------------>|  wg set peer OLD remove peer NEW
 *
 * A node that was killed in the middle says by its Hello which key it has; that is as good as KeyInUse.
 */
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { KeyStep } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { publicKeyFromBytes } from '../../protocol/identifier.ts';
import type { Logger } from '../../protocol/log.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeRecord, Store } from '../store/store.ts';
import type { NodeSession } from './node-session.ts';

/** Of the setting that holds the next key of a node, before its id. */
const SETTING = 'next_key:';
/** A node turns its key within this long for each node that there is, so that a fleet does not at once; a day at most. */
const SPREAD_MS = 200;
const MAX_SPREAD_MS = 86_400_000;

export interface NodeKeysDeps {
  readonly registry: NodeRegistry;
  readonly store: Pick<Store, 'setting' | 'setSetting' | 'deleteSetting'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The node has another key: its peers are to hear of it at once. */
  readonly onChanged: (node: NodeRecord) => void;
}

export class NodeKeys {
  readonly #deps: NodeKeysDeps;

  constructor(deps: NodeKeysDeps) {
    this.#deps = deps;
  }

  /** The node's device has this key. False: it is neither its own nor the one that it may turn to. */
  inUse(node: NodeRecord, bytes: Uint8Array): boolean {
    const key = publicKeyFromBytes(bytes);
    if (!key.ok) return false;
    if (key.value === node.publicKey) return true;
    if (this.#deps.store.setting(SETTING + node.id) !== key.value) return false;
    const changed = this.#deps.registry.setPublicKey(node, key.value);
    this.forget(node);
    this.#deps.log.info('WireGuard key changed', { name: node.name, index: node.index });
    this.#deps.onChanged(changed);
    return true;
  }

  /** As `inUse`, in a session that is open: answers it. Throws certificate_invalid. */
  confirm(session: NodeSession, node: NodeRecord, bytes: Uint8Array): void {
    if (!this.inUse(node, bytes)) throw foreignKey(node.name);
    answer(session, KeyStep.DONE, bytes);
  }

  /** Saves the key that the node may turn to, and says so; one that cannot be is refused. */
  proposed(session: NodeSession, node: NodeRecord, bytes: Uint8Array): void {
    const { registry, store } = this.#deps;
    const key = publicKeyFromBytes(bytes);
    const isGood = key.ok && bytes.some((byte) => byte !== 0) && registry.byPublicKey(key.value) === undefined;
    if (!isGood) {
      answer(session, KeyStep.REFUSED, bytes);
      return;
    }
    if (store.setting(SETTING + node.id) !== key.value) store.setSetting(SETTING + node.id, key.value);
    answer(session, KeyStep.ACCEPTED, bytes);
  }

  /** The node turns to no key any more: it was removed, or has done so. */
  forget(node: NodeRecord): void {
    this.#deps.store.deleteSetting(SETTING + node.id);
  }

  /** Asks a node that is there for another key, once `onAsked` returned. Throws conflict, and what `onAsked` throws. */
  rotate(node: NodeRecord, session: NodeSession | undefined, isCapable: boolean, onAsked: () => void): void {
    const { registry, log } = this.#deps;
    if (session === undefined || !isCapable) {
      const why = session === undefined ? 'is offline' : 'has an agent that cannot change its key';
      throw new ThalwegError('conflict', `node ${node.name} ${why}`, {
        fields: { name: node.name },
        nextStep: session === undefined ? 'ask again when it is back' : 'upgrade its agent',
      });
    }
    const withinMs = Math.min(MAX_SPREAD_MS, (registry.size - 1) * SPREAD_MS);
    onAsked();
    session.send({ case: 'keyTurn', value: { step: KeyStep.ROTATE, withinMs } });
    log.info('asked for another WireGuard key', { name: node.name, withinMs });
  }
}

export function foreignKey(name: string): ThalwegError {
  return new ThalwegError('certificate_invalid', `the WireGuard key is not the one ${name} joined with or turned to`, {
    nextStep: 'restore wireguard.key, or remove the node and join the device again',
  });
}

function answer(session: NodeSession, step: KeyStep, publicKey: Uint8Array): void {
  session.send({ case: 'keyTurn', value: { step, publicKey } });
}
