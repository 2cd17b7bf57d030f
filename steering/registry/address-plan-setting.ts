/** The mesh's address ranges, fixed by the first start of a core: every node's addresses follow from them. */
import { type AddressPlan, AddressRanges } from '../../protocol/address-plan.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Store } from '../store/store.ts';

const KEY = 'address_plan';

/**
 * The ranges to work with. Saves them when none were saved, or when they differ and no node exists yet. Throws
 * invalid_config when a range is malformed or differs from those that nodes already use.
 */
export function settleAddressPlan(store: Store, wanted: AddressPlan): AddressRanges {
  const parsed = AddressRanges.parse(wanted);
  if (!parsed.ok) {
    throw new ThalwegError('invalid_config', parsed.reason, {
      nextStep: 'correct tunnelRange, node4Range or node6Range',
    });
  }
  const text = JSON.stringify([wanted.tunnel, wanted.node4, wanted.node6]);
  const saved = store.setting(KEY);
  if (saved === text) return parsed.value;
  const nodes = store.nodes().length;
  if (saved !== undefined && nodes > 0) {
    const [tunnel, node4, node6] = JSON.parse(saved) as [string, string, string];
    throw new ThalwegError(
      'invalid_config',
      `tunnelRange ${wanted.tunnel}, node4Range ${wanted.node4}, node6Range ${wanted.node6} are not the ranges that ` +
        `${nodes} nodes already have addresses from: ${tunnel}, ${node4}, ${node6}`,
      { nextStep: `start with those ranges, or remove all nodes first`, fields: { tunnel, node4, node6, nodes } },
    );
  }
  store.setSetting(KEY, text);
  return parsed.value;
}
