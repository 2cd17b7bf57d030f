/** This node's place in the mesh: identity, ranges and own addresses, kept in step with what the core says. */
import type { NodeAddresses } from '../overlay/overlay-state.ts';
import type { AddressRanges } from '../protocol/address-plan.ts';
import type { Welcome } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { parseNodeName } from '../protocol/identifier.ts';
import { checkedPlan, type Identity, ownAddresses, rangesOf } from './identity.ts';

/** `refused`: the core took this node for another one. `moved`: the addresses are others now. */
export type Adoption = 'same' | 'renamed' | 'moved' | 'refused';

/** Mutable; owned by the agent. */
export class NodePlace {
  #identity: Identity;
  #ranges: AddressRanges;
  #own: NodeAddresses;

  constructor(identity: Identity) {
    this.#identity = identity;
    this.#ranges = rangesOf(identity.addressPlan);
    this.#own = ownAddresses(identity);
  }

  get identity(): Identity {
    return this.#identity;
  }

  get ranges(): AddressRanges {
    return this.#ranges;
  }

  get own(): NodeAddresses {
    return this.#own;
  }

  /** The core may have moved this node to another index or plan (a store restored from a copy): follow it. */
  adopt({ nodeId, name, index, addressPlan }: Pick<Welcome, 'nodeId' | 'name' | 'index' | 'addressPlan'>): Adoption {
    const checked = checkedPlan(addressPlan, index);
    const parsedName = parseNodeName(name);
    if (!checked.ok || !parsedName.ok || nodeId !== this.#identity.nodeId) return 'refused';
    const { plan, index: nodeIndex } = checked.value;
    const before = this.#identity;
    const next: Identity = { ...before, name: parsedName.value, index: nodeIndex, addressPlan: plan };
    if (JSON.stringify(next) === JSON.stringify(before)) return 'same';
    const isMoved =
      next.index !== before.index || JSON.stringify(next.addressPlan) !== JSON.stringify(before.addressPlan);
    this.#identity = next;
    this.#ranges = rangesOf(plan);
    this.#own = ownAddresses(next);
    return isMoved ? 'moved' : 'renamed';
  }
}
