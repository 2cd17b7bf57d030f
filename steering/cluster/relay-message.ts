/**
 * What goes over a link between two cores, as bytes: records of sessions. Records of one message are encoded one by one and put
 * behind each other, which protobuf reads as one list. Decoders never throw, and hold everything to the limits that
 * an agent's own stream is held to.
 */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Parsed } from '../../protocol/error.ts';
import { MAX_AGENT_FRAME_BYTES, MAX_CORE_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import {
  type HolderRecord,
  type HolderRecordSchema,
  HolderRecordsSchema,
  type SolverRecord,
  type SolverRecordSchema,
  SolverRecordsSchema,
} from '../../protocol/gen/thalweg/v1/relay_pb.ts';
import { MAX_NODE_INDEX } from '../../protocol/identifier.ts';

export type HolderBody = Exclude<MessageInitShape<typeof HolderRecordSchema>['body'], undefined>;
export type SolverBody = Exclude<MessageInitShape<typeof SolverRecordSchema>['body'], undefined>;

/** Ids, serials, addresses and reasons are shorter. */
const MAX_WORD_CHARACTERS = 64;

export function encodeHolderRecord(session: number, body: HolderBody): Uint8Array {
  return toBinary(HolderRecordsSchema, create(HolderRecordsSchema, { records: [{ session, body }] }));
}

export function encodeSolverRecord(session: number, body: SolverBody, epoch = 0n): Uint8Array {
  return toBinary(SolverRecordsSchema, create(SolverRecordsSchema, { records: [{ session, body, epoch }] }));
}

/** What a holder said. Frames in it are still to be decoded. */
export function decodeHolderRecords(bytes: Uint8Array): Parsed<HolderRecord[]> {
  return decode(() => fromBinary(HolderRecordsSchema, bytes).records, holderFault);
}

/** What a solver said. Frames in it are still to be decoded. */
export function decodeSolverRecords(bytes: Uint8Array): Parsed<SolverRecord[]> {
  return decode(() => fromBinary(SolverRecordsSchema, bytes).records, solverFault);
}

function decode<T>(read: () => T[], faultOf: (record: T) => string | undefined): Parsed<T[]> {
  let records: T[];
  try {
    records = read();
  } catch (cause) {
    return { ok: false, reason: cause instanceof Error ? cause.message.slice(0, 200) : 'not readable' };
  }
  for (const record of records) {
    const fault = faultOf(record);
    if (fault !== undefined) return { ok: false, reason: fault };
  }
  return { ok: true, value: records };
}

function holderFault({ session, body }: HolderRecord): string | undefined {
  if (session === 0 && body.case !== 'allAnnounced') return 'a record of no session';
  switch (body.case) {
    case undefined:
      return 'a record without a body, or of a newer core';
    case 'opened': {
      const { nodeId, index, serial, remoteAddress, hello } = body.value;
      if ([nodeId, serial, remoteAddress].some((word) => word.length > MAX_WORD_CHARACTERS)) return 'opened: too long';
      if (index < 1 || index > MAX_NODE_INDEX) return `opened: index ${index} is out of range`;
      return hello.length > MAX_AGENT_FRAME_BYTES ? `opened: a hello of ${hello.length} bytes` : undefined;
    }
    case 'frame':
      return body.value.length > MAX_AGENT_FRAME_BYTES ? `a frame of ${body.value.length} bytes` : undefined;
    case 'clockSkewMs':
      return Number.isSafeInteger(Number(body.value)) ? undefined : 'a clock skew beyond 2^53';
    case 'closed':
      return body.value.length > MAX_WORD_CHARACTERS ? 'closed: too long' : undefined;
    case 'allAnnounced':
      return undefined;
    default:
      return body satisfies never;
  }
}

function solverFault({ session, body }: SolverRecord): string | undefined {
  if (session === 0) return 'a record of no session';
  switch (body.case) {
    case undefined:
      return 'a record without a body, or of a newer core';
    case 'frame':
      return body.value.length > MAX_CORE_FRAME_BYTES ? `a frame of ${body.value.length} bytes` : undefined;
    case 'closed':
      return body.value.length > MAX_WORD_CHARACTERS ? 'closed: too long' : undefined;
    default:
      return body satisfies never;
  }
}
