/** The first frame of a session: who this node is, how it is reached, and what it holds. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HelloSchema } from '../protocol/gen/thalweg/v1/session_pb.ts';
import { type PublicKey, publicKeyToBytes } from '../protocol/identifier.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../protocol/version.ts';
import type { TrustReportInit } from './certificate-keeper.ts';
import { accessFields, type HostSituation, hostFields } from './host-situation.ts';

export interface HelloFacts {
  readonly publicKey: PublicKey;
  readonly situation: HostSituation;
  readonly table: { readonly generation: bigint; readonly checksum: bigint };
  readonly policy: { readonly generation: bigint; readonly checksum: bigint };
  readonly clockUnixMs: number;
  readonly instanceId: Uint8Array;
  readonly wireguardBackend: string;
  readonly trust: TrustReportInit | undefined;
}

export interface HelloOptions {
  readonly listenPort: number;
  readonly transit: boolean;
  /** Leaves that may have this node as their home; a node that does not transit takes none. */
  readonly leafCapacity: number;
  readonly stampPort: number;
  /** What the access was configured to carry, in bits per second; absent or null: to be learned. */
  readonly uplinkBps?: number | null;
  readonly downlinkBps?: number | null;
}

export function helloMessage(facts: HelloFacts, options: HelloOptions): MessageInitShape<typeof HelloSchema> {
  const { publicKey, situation, table, policy, clockUnixMs, instanceId, wireguardBackend, trust } = facts;
  return {
    protocolMin: PROTOCOL_MIN,
    protocolMax: PROTOCOL_MAX,
    software: SOFTWARE_VERSION,
    publicKey: publicKeyToBytes(publicKey),
    ...hostFields(situation, options),
    tableGeneration: table.generation,
    tableChecksum: table.checksum,
    policyGeneration: policy.generation,
    policyChecksum: policy.checksum,
    clockUnixMs: BigInt(Math.trunc(clockUnixMs)),
    instanceId,
    stampPort: options.stampPort,
    wireguardBackend,
    leafCapacity: options.transit ? options.leafCapacity : 0,
    ...accessFields(options),
    ...(trust && { trust }),
    turnsKey: true,
  };
}
