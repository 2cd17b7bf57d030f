/**
 * A child of the full-disk test, run in a mount namespace of its own: fills the small file system in its argument
 * under a store, frees it again, and prints what the store said and held.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AddressRanges, DEFAULT_ADDRESS_PLAN } from '../../protocol/address-plan.ts';
import { systemClock as clock } from '../../protocol/clock.ts';
import type { ThalwegError } from '../../protocol/error.ts';
import type { PublicKey } from '../../protocol/identifier.ts';
import { newNodeId } from '../../steering/identity/random-id.ts';
import { NodeRegistry } from '../../steering/registry/node-registry.ts';
import { SqliteStore } from '../../steering/store/sqlite-store.ts';

const stateDir = join(process.argv[2] ?? '', 'state');
const store = new SqliteStore({ monoMs: clock.monoMs }, { stateDir });
const ranges = AddressRanges.parse(DEFAULT_ADDRESS_PLAN);
if (!ranges.ok) throw new Error(ranges.reason);
const registry = new NodeRegistry({ store, clock }, { ranges: ranges.value });
const expiresAtMs = clock.nowMs() + 3_600_000;
const token = { id: 't', secretHash: new Uint8Array(32), labels: {}, createdAtMs: 0, revokedAtMs: null };
store.insertToken({ ...token, expiresAtMs, uses: 100_000, used: 0 }, 'socket');

function admit(): void {
  const id = newNodeId();
  const key = { publicKey: id as string as PublicKey, tlsKeyHash: '', serial: id, certificateExpiresAtMs: expiresAtMs };
  registry.admit({ id, name: null, labels: {}, tokenId: 't', ...key });
}

/** Works until something throws, and returns what was thrown. */
function untilItThrows(work: () => void): ThalwegError {
  try {
    for (;;) work();
  } catch (cause) {
    return cause as ThalwegError;
  }
}

const fillerPath = join(process.argv[2] ?? '', 'filler');
const filler = openSync(fillerPath, 'w');
untilItThrows(() => void writeSync(filler, Buffer.alloc(4096)));
closeSync(filler);

const refused = untilItThrows(admit);
const whileFull = { nodes: store.nodes().length, registered: registry.size, used: store.token('t')?.used };
const probe = untilItThrows(() => store.probeWrite(clock.nowMs()));
rmSync(fillerPath);
admit();
const nodes = store.nodes().length;
store.close();
const again = new SqliteStore({ monoMs: clock.monoMs }, { stateDir });
const reopened = { nodes: again.nodes().length, used: again.token('t')?.used };
again.close();
process.stdout.write(JSON.stringify({ refused, whileFull, probe, nodes, reopened }));
