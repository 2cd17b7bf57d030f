/**
 * Frames of the agent stream: bytes <-> messages, with the limits that everything from a socket is held to. Decoders
 * never throw: what is malformed comes back as `{ ok: false, reason }`.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { bitRateFault } from './bit-rate.ts';
import type { Parsed } from './error.ts';
import {
  type AgentFrame,
  AgentFrameSchema,
  type CoreFrame,
  CoreFrameSchema,
  type Endpoint,
  Plane,
  type RouteDelta as RouteDeltaMessage,
  RouteDeltaSchema,
  type RouteRow as RouteRowMessage,
  TableKind as TableKindNumber,
  type TrustReport,
} from './gen/thalweg/v1/session_pb.ts';
import { MAX_NODE_INDEX } from './identifier.ts';
import { policyUpdateFault } from './policy-message.ts';
import { type RouteDelta, type RouteRow, type RowKey, type RowPlane, rowFault, type TableKind } from './route-table.ts';

/** Largest frame an agent may send: a report of 1,000 links is about 30 KiB. */
export const MAX_AGENT_FRAME_BYTES = 256 * 1024;
/** Largest frame the core may send: a full table of 100,000 rows is about 2 MiB. */
export const MAX_CORE_FRAME_BYTES = 8 * 1024 * 1024;
/** Largest body of a join request. */
export const MAX_JOIN_BYTES = 16 * 1024;
/** Entries that one report or update may carry; more is malformed. */
export const MAX_LINKS_PER_REPORT = 4096;
export const MAX_DEMANDS_PER_REPORT = 4096;
export const MAX_PEERS_PER_UPDATE = 65_536;
export const MAX_ROWS_PER_DELTA = 262_144;
export const MAX_ENDPOINTS = 16;
/** One, and two while one follows the other. */
export const MAX_TRUSTED_CAS = 4;
const MAX_CA_BYTES = 4096;

export type AgentBody = NonNullable<MessageInitShape<typeof AgentFrameSchema>['body']>;
export type CoreBody = NonNullable<MessageInitShape<typeof CoreFrameSchema>['body']>;

export function encodeAgentFrame(seq: bigint, body: AgentBody): Uint8Array {
  return toBinary(AgentFrameSchema, create(AgentFrameSchema, { seq, body }));
}

export function encodeCoreFrame(seq: bigint, body: CoreBody): Uint8Array {
  return toBinary(CoreFrameSchema, create(CoreFrameSchema, { seq, body }));
}

/** Decodes what an agent sent and checks everything about it that does not depend on state. */
export function decodeAgentFrame(bytes: Uint8Array): Parsed<AgentFrame> {
  if (bytes.length > MAX_AGENT_FRAME_BYTES) return tooLarge(bytes.length, MAX_AGENT_FRAME_BYTES);
  let frame: AgentFrame;
  try {
    frame = fromBinary(AgentFrameSchema, bytes);
  } catch (cause) {
    return { ok: false, reason: `not an agent frame: ${describe(cause)}` };
  }
  const fault = agentFrameFault(frame);
  return fault === undefined ? { ok: true, value: frame } : { ok: false, reason: fault };
}

/** Decodes what the core sent. Route rows are checked by `routeDeltaFromMessage`. */
export function decodeCoreFrame(bytes: Uint8Array): Parsed<CoreFrame> {
  if (bytes.length > MAX_CORE_FRAME_BYTES) return tooLarge(bytes.length, MAX_CORE_FRAME_BYTES);
  let frame: CoreFrame;
  try {
    frame = fromBinary(CoreFrameSchema, bytes);
  } catch (cause) {
    return { ok: false, reason: `not a core frame: ${describe(cause)}` };
  }
  const fault = coreFrameFault(frame);
  return fault === undefined ? { ok: true, value: frame } : { ok: false, reason: fault };
}

const TABLE_TO_NUMBER: Record<TableKind, TableKindNumber> = {
  source: TableKindNumber.SOURCE,
  transitA: TableKindNumber.TRANSIT_A,
  transitB: TableKindNumber.TRANSIT_B,
};
const NUMBER_TO_TABLE = new Map<number, TableKind>([
  [TableKindNumber.SOURCE, 'source'],
  [TableKindNumber.TRANSIT_A, 'transitA'],
  [TableKindNumber.TRANSIT_B, 'transitB'],
]);

const PLANE_TO_NUMBER: Record<RowPlane, Plane> = { a: Plane.A, b: Plane.B, uplink: Plane.UPLINK };
const NUMBER_TO_PLANE = new Map<number, RowPlane>([
  [Plane.A, 'a'],
  [Plane.B, 'b'],
  [Plane.UPLINK, 'uplink'],
]);

export function routeDeltaToMessage(delta: RouteDelta): RouteDeltaMessage {
  return create(RouteDeltaSchema, {
    generation: delta.generation,
    baseGeneration: delta.baseGeneration,
    full: delta.full,
    checksum: delta.checksum,
    set: delta.set.map((row) => ({
      table: TABLE_TO_NUMBER[row.table],
      destination: row.destination,
      blockBits: row.blockBits,
      plane: row.plane === null ? Plane.UNSPECIFIED : PLANE_TO_NUMBER[row.plane],
      nextHops: row.nextHops.map(({ neighbour, weight }) => ({ neighbour, weight })),
      backups: [...row.backups],
    })),
    remove: delta.remove.map((key) => ({
      table: TABLE_TO_NUMBER[key.table],
      destination: key.destination,
      blockBits: key.blockBits,
    })),
  });
}

/** Checks every row and key: a delta that passes can be applied and installed. */
export function routeDeltaFromMessage(message: RouteDeltaMessage): Parsed<RouteDelta> {
  const set: RouteRow[] = [];
  for (const row of message.set) {
    const parsed = rowFromMessage(row);
    if (!parsed.ok) return { ok: false, reason: `row for ${row.destination}: ${parsed.reason}` };
    set.push(parsed.value);
  }
  const remove: RowKey[] = [];
  for (const key of message.remove) {
    const table = NUMBER_TO_TABLE.get(key.table);
    if (table === undefined) return { ok: false, reason: `a removed row names table ${key.table}` };
    remove.push({ table, destination: key.destination, blockBits: key.blockBits });
  }
  const { generation, baseGeneration, full, checksum } = message;
  return { ok: true, value: { generation, baseGeneration, full, set, remove, checksum } };
}

function rowFromMessage(message: RouteRowMessage): Parsed<RouteRow> {
  const table = NUMBER_TO_TABLE.get(message.table);
  if (table === undefined) return { ok: false, reason: `table ${message.table} is unknown` };
  const row: RouteRow = {
    table,
    destination: message.destination,
    blockBits: message.blockBits,
    plane: NUMBER_TO_PLANE.get(message.plane) ?? null,
    nextHops: message.nextHops.map(({ neighbour, weight }) => ({ neighbour, weight })),
    backups: message.backups,
  };
  const fault = rowFault(row);
  return fault === undefined ? { ok: true, value: row } : { ok: false, reason: fault };
}

function trustFault(field: string, report: TrustReport | undefined): string | undefined {
  if (report === undefined) return undefined;
  if (report.caFingerprints.length > MAX_TRUSTED_CAS) return `${field} names more than ${MAX_TRUSTED_CAS} CAs`;
  const fingerprints = [...report.caFingerprints, report.issuerFingerprint];
  return fingerprints.some(({ length }) => length !== 32) ? `${field}: a fingerprint is not of 32 bytes` : undefined;
}

function agentFrameFault({ body }: AgentFrame): string | undefined {
  switch (body.case) {
    case undefined:
      return 'the frame has no body, or one of a newer protocol';
    case 'hello':
      if (body.value.publicKey.length !== 32)
        return `hello.public_key has ${body.value.publicKey.length} bytes, not 32`;
      if (body.value.software.length > 64) return 'hello.software is longer than 64 characters';
      if (body.value.instanceId.length > 32) return 'hello.instance_id is longer than 32 bytes';
      if (body.value.wireguardBackend.length > 32) return 'hello.wireguard_backend is longer than 32 characters';
      if ((body.value.leafCapacity ?? 0) > 65_535) return 'hello.leaf_capacity is over 65535';
      if (body.value.stampPort < 1 || body.value.stampPort > 65_535) return 'hello.stamp_port is not 1 to 65535';
      for (const [field, bps] of [
        ['uplink_bps', body.value.uplinkBps],
        ['downlink_bps', body.value.downlinkBps],
      ] as const) {
        const fault = bps === undefined ? undefined : bitRateFault(Number(bps));
        if (fault !== undefined) return `hello.${field}: ${fault}`;
      }
      return trustFault('hello.trust', body.value.trust) ?? hostFault('hello', body.value);
    case 'keyProposal':
    case 'keyInUse':
      return body.value.publicKey.length === 32 ? undefined : `${body.case}: the key is not 32 bytes`;
    case 'trustReport':
      return trustFault('trust_report', body.value);
    case 'hostUpdate':
      return hostFault('host_update', body.value);
    case 'linkReport':
      if (body.value.links.length > MAX_LINKS_PER_REPORT) return `link_report has ${body.value.links.length} links`;
      return body.value.links.some((l) => !isIndex(l.peerIndex)) ? 'link_report: peer_index out of range' : undefined;
    case 'demandReport':
      if (body.value.demands.length > MAX_DEMANDS_PER_REPORT)
        return `demand_report has ${body.value.demands.length} entries`;
      return body.value.demands.some((d) => !isIndex(d.peerIndex))
        ? 'demand_report: peer_index out of range'
        : undefined;
    case 'renewRequest':
      return body.value.signingRequestDer.length > 4096 ? 'renew_request is larger than 4096 bytes' : undefined;
    case 'tableAck':
      return body.value.message.length > 1024 ? 'table_ack.message is longer than 1024 characters' : undefined;
    case 'policyStatus':
      return body.value.message.length > 1024 ? 'policy_status.message is longer than 1024 characters' : undefined;
    case 'heartbeat':
    case 'tableRequest':
    case 'goodbye':
      return undefined;
    default:
      return body satisfies never;
  }
}

function coreFrameFault({ body }: CoreFrame): string | undefined {
  switch (body.case) {
    case undefined:
      return 'the frame has no body, or one of a newer protocol';
    case 'peerUpdate':
      if (body.value.set.length + body.value.remove.length > MAX_PEERS_PER_UPDATE) return 'peer_update is too long';
      for (const peer of body.value.set) {
        if (!isIndex(peer.index)) return `peer_update: index ${peer.index} is out of range`;
        if (peer.publicKey.length !== 32) return `peer_update: the key of ${peer.index} is not 32 bytes`;
        const fault = endpointsFault(peer.endpoints);
        if (fault !== undefined) return `peer_update: ${fault}`;
      }
      return undefined;
    case 'routeDelta':
      return body.value.set.length + body.value.remove.length > MAX_ROWS_PER_DELTA
        ? 'route_delta is too long'
        : undefined;
    case 'policyUpdate':
      return policyUpdateFault(body.value);
    case 'welcome':
      return isIndex(body.value.index) ? undefined : `welcome.index ${body.value.index} is out of range`;
    case 'trust': {
      const { caDer } = body.value;
      if (caDer.length === 0 || caDer.length > MAX_TRUSTED_CAS) return `trust names ${caDer.length} CAs`;
      return caDer.some(({ length }) => length > MAX_CA_BYTES) ? 'trust: a CA is too large' : undefined;
    }
    case 'heartbeat':
    case 'keyTurn':
    case 'renewResponse':
    case 'refusal':
    case 'probePlan':
      return undefined;
    default:
      return body satisfies never;
  }
}

interface HostFields {
  readonly endpoints: readonly Endpoint[];
  readonly listenPort: number;
  readonly underlayMtuBytes: number;
}

function hostFault(field: string, host: HostFields): string | undefined {
  if (host.listenPort < 1 || host.listenPort > 65_535)
    return `${field}.listen_port ${host.listenPort} is not 1 to 65535`;
  if (host.underlayMtuBytes > 65_535) return `${field}.underlay_mtu_bytes ${host.underlayMtuBytes} is over 65535`;
  const fault = endpointsFault(host.endpoints);
  return fault === undefined ? undefined : `${field}: ${fault}`;
}

function endpointsFault(endpoints: readonly Endpoint[]): string | undefined {
  if (endpoints.length > MAX_ENDPOINTS) return `${endpoints.length} endpoints, at most ${MAX_ENDPOINTS}`;
  for (const { address, port } of endpoints) {
    if (address.length !== 4 && address.length !== 16) return `an endpoint's address has ${address.length} bytes`;
    if (port < 1 || port > 65_535) return `an endpoint's port ${port} is not 1 to 65535`;
  }
  return undefined;
}

function isIndex(value: number): boolean {
  return value >= 1 && value <= MAX_NODE_INDEX;
}

function tooLarge(size: number, limit: number): { ok: false; reason: string } {
  return { ok: false, reason: `frame of ${size} bytes, at most ${limit}` };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message.slice(0, 200) : 'unknown';
}
