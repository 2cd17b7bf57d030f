/** This host as the core has to know it: underlay addresses, MTU, port, will to forward. Read again when it may have changed. */
import type { Overlay } from '../overlay/overlay-state.ts';
import { addressToBytes } from '../protocol/endpoint.ts';
import { MAX_ENDPOINTS } from '../protocol/frame-codec.ts';

/** WireGuard over IPv6: 40 (IPv6) + 8 (UDP) + 32 (header and tag) bytes. */
const WIREGUARD_OVERHEAD_BYTES = 80;
/** The paths between hosts are the Internet's, whatever a host's own link could carry. */
const MAX_UNDERLAY_MTU_BYTES = 1500;

export interface HostSituation {
  readonly underlayAddresses: readonly string[];
  readonly underlayMtuBytes: number;
}

export async function readHostSituation(
  overlay: Pick<Overlay, 'underlayAddresses' | 'underlayMtuBytes'>,
): Promise<HostSituation> {
  const [underlayAddresses, underlayMtuBytes] = await Promise.all([
    overlay.underlayAddresses(),
    overlay.underlayMtuBytes(),
  ]);
  return { underlayAddresses: [...underlayAddresses].sort(), underlayMtuBytes };
}

export function sameSituation(a: HostSituation, b: HostSituation): boolean {
  return (
    a.underlayMtuBytes === b.underlayMtuBytes &&
    a.underlayAddresses.length === b.underlayAddresses.length &&
    a.underlayAddresses.every((address, i) => address === b.underlayAddresses[i])
  );
}

/** MTU of tw0: 1420 on an ordinary underlay. */
export function tunnelMtuBytes({ underlayMtuBytes }: HostSituation): number {
  return Math.min(underlayMtuBytes, MAX_UNDERLAY_MTU_BYTES) - WIREGUARD_OVERHEAD_BYTES;
}

export interface HostOptions {
  readonly listenPort: number;
  readonly transit: boolean;
}

export interface HostFields {
  readonly endpoints: { address: Uint8Array; port: number }[];
  readonly listenPort: number;
  readonly underlayMtuBytes: number;
  readonly transit: boolean;
}

/** The fields that Hello and HostUpdate have in common. */
export function hostFields(situation: HostSituation, { listenPort, transit }: HostOptions): HostFields {
  return {
    endpoints: situation.underlayAddresses
      .slice(0, MAX_ENDPOINTS)
      .map((address) => ({ address: addressToBytes(address), port: listenPort })),
    listenPort,
    underlayMtuBytes: Math.min(situation.underlayMtuBytes, 65_535),
    transit,
  };
}

/** What the access was configured to carry, in bits per second; absent where nothing was configured. */
export function accessFields(options: { readonly uplinkBps?: number | null; readonly downlinkBps?: number | null }): {
  uplinkBps?: bigint;
  downlinkBps?: bigint;
} {
  const { uplinkBps = null, downlinkBps = null } = options;
  return {
    ...(uplinkBps === null ? {} : { uplinkBps: BigInt(uplinkBps) }),
    ...(downlinkBps === null ? {} : { downlinkBps: BigInt(downlinkBps) }),
  };
}
