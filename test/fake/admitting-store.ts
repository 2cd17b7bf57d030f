/**
 * A child of the durability test: admits nodes to the store in its argument as fast as it can and prints the name of
 * each one whose commit has returned, until it is killed.
 */
import { writeSync } from 'node:fs';
import { AddressRanges, DEFAULT_ADDRESS_PLAN } from '../../protocol/address-plan.ts';
import { systemClock as clock } from '../../protocol/clock.ts';
import type { NodeName, PublicKey } from '../../protocol/identifier.ts';
import { newNodeId, randomBase32 } from '../../steering/identity/random-id.ts';
import { NodeRegistry } from '../../steering/registry/node-registry.ts';
import { SqliteStore } from '../../steering/store/sqlite-store.ts';

const store = new SqliteStore({ monoMs: clock.monoMs }, { stateDir: process.argv[2] ?? '' });
const ranges = AddressRanges.parse(DEFAULT_ADDRESS_PLAN);
if (!ranges.ok) throw new Error(ranges.reason);
const registry = new NodeRegistry({ store, clock }, { ranges: ranges.value });
const inAnHourMs = clock.nowMs() + 3_600_000;

for (;;) {
  const tokenId = randomBase32(12);
  const base = { id: tokenId, secretHash: new Uint8Array(32), labels: {}, createdAtMs: clock.nowMs() };
  store.insertToken({ ...base, expiresAtMs: inAnHourMs, uses: 2, used: 0, revokedAtMs: null }, 'socket');
  for (let use = 0; use < 3; use++) {
    const id = newNodeId();
    try {
      const { name } = registry.admit({
        id,
        name: `x-${id.slice(2)}` as NodeName,
        publicKey: id as string as PublicKey,
        tlsKeyHash: '',
        labels: {},
        tokenId,
        serial: id,
        certificateExpiresAtMs: inAnHourMs,
      });
      writeSync(1, `${name}\n`);
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'token_used_up') throw cause;
    }
  }
}
