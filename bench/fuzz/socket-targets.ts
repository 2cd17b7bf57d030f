/** What arrives on sockets: frames of the stream, join messages, tokens, certificates, STAMP packets, requests of the API. */
import { createHash } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { checkCertificate, identityFrom } from '../../agent/join.ts';
import { peerFromMessage } from '../../agent/mesh-peer.ts';
import {
  decodeReply,
  encodeProbe,
  newReplyFields,
  reflectInPlace,
  residenceUs,
  STAMP_PACKET_BYTES,
} from '../../overlay/stamp/stamp-packet.ts';
import { parsePrefix } from '../../protocol/address-plan.ts';
import { formatApiKey, parseApiKey } from '../../protocol/api-key.ts';
import { parseBitRate } from '../../protocol/bit-rate.ts';
import { addressFromBytes, parseEndpoint } from '../../protocol/endpoint.ts';
import { ThalwegError } from '../../protocol/error.ts';
import {
  decodeAgentFrame,
  decodeCoreFrame,
  encodeAgentFrame,
  encodeCoreFrame,
  routeDeltaFromMessage,
  routeDeltaToMessage,
} from '../../protocol/frame-codec.ts';
import { JoinRequestSchema, JoinResponseSchema } from '../../protocol/gen/thalweg/v1/join_pb.ts';
import { LinkHealth } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { parseNodeId, parseNodeName, parsePublicKey } from '../../protocol/identifier.ts';
import { formatJoinToken, type JoinToken, parseJoinToken } from '../../protocol/join-token.ts';
import { applyPolicyUpdate, NO_POLICY, type PolicyUpdate } from '../../protocol/node-policy.ts';
import { policyUpdateFromMessage, policyUpdateToMessage } from '../../protocol/policy-message.ts';
import { deltaFrom, type RouteRow, RouteTable } from '../../protocol/route-table.ts';
import { identifyCaller } from '../../steering/api/api-access.ts';
import {
  demandQuery,
  keyCreateInput,
  loadInput,
  parseInput,
  pathChangesQuery,
  tokenCreateInput,
} from '../../steering/api/api-inputs.ts';
import {
  decodeHolderRecords,
  decodeSolverRecords,
  encodeHolderRecord,
  encodeSolverRecord,
} from '../../steering/cluster/relay-message.ts';
import { decodeRelayPacket, encodeRelayPacket } from '../../steering/cluster/relay-packet.ts';
import { parseSigningRequest } from '../../steering/identity/signing-request.ts';
import { decodeJoin } from '../../steering/session/join-endpoint.ts';
import type { CertificateSeeds } from './certificate-seeds.ts';
import { type FuzzTarget, refusing, textTarget, verdict } from './fuzz-target.ts';

export const ROWS: readonly RouteRow[] = [
  { table: 'source', destination: 3, blockBits: 0, plane: 'a', nextHops: [{ neighbour: 2, weight: 1 }], backups: [4] },
  {
    table: 'transitA',
    destination: 5,
    blockBits: 0,
    plane: null,
    nextHops: [
      { neighbour: 2, weight: 3 },
      { neighbour: 4, weight: 1 },
    ],
    backups: [],
  },
];

export const POLICY_UPDATE: PolicyUpdate = {
  generation: 2n,
  baseGeneration: 1n,
  full: true,
  active: true,
  rules: [
    { set: 31n, services: [{ protocol: 'tcp', ports: [[80, 90]] }, { protocol: 'icmp', ports: [] }] }, // biome-ignore format: one rule
    { set: null, services: [{ protocol: 'any', ports: [] }] },
  ],
  sets: [{ id: 31n, reset: true, add: [2, 4], remove: [] }],
  checksum: 0n,
};

const KEY = new Uint8Array(32).fill(7);
const ENDPOINTS = [
  { address: Uint8Array.of(198, 18, 0, 1), port: 51_820 },
  { address: new Uint8Array(16).fill(253), port: 1 },
];
const PLAN = { tunnel: '100.112.0.0/12', node4: '100.96.0.0/12', node6: 'fd54:5748::/64' };
const TOKEN: JoinToken = {
  addresses: ['198.18.0.9:8470', '[fd00::1]:8470'],
  caFingerprint: 'f'.repeat(64),
  id: 'abcdefgh2345',
  secret: new Uint8Array(32).fill(9),
};
const KEY_OF_API = { id: TOKEN.id, secret: TOKEN.secret };

function agentFrames({ signingRequestDer }: CertificateSeeds): Uint8Array[] {
  const hello = { protocolMin: 1, protocolMax: 1, software: 'thalweg', publicKey: KEY, listenPort: 51_820 };
  const link = { peerIndex: 2, health: LinkHealth.UP, rttUs: 5_000, minRttUs: 4_900, jitterUs: 10, lossOutPpm: 0 };
  return [
    encodeAgentFrame(1n, { case: 'hello', value: { ...hello, endpoints: ENDPOINTS, tableGeneration: 4n } }),
    encodeAgentFrame(2n, { case: 'heartbeat', value: { clockUnixMs: 1n } }),
    encodeAgentFrame(3n, { case: 'linkReport', value: { links: [link, { ...link, peerIndex: 3 }] } }),
    encodeAgentFrame(4n, { case: 'demandReport', value: { demands: [{ peerIndex: 2, bytesPerSecond: 9n }] } }),
    encodeAgentFrame(5n, { case: 'tableAck', value: { generation: 3n, checksum: 7n, error: '' } }),
    encodeAgentFrame(6n, { case: 'renewRequest', value: { signingRequestDer } }),
    encodeAgentFrame(8n, {
      case: 'policyStatus',
      value: { generation: 3n, checksum: 7n, error: '', deniedPackets: 9n },
    }),
    encodeAgentFrame(7n, { case: 'hostUpdate', value: { endpoints: ENDPOINTS, listenPort: 1, transit: true } }),
  ];
}

function coreFrames(): Uint8Array[] {
  const delta = routeDeltaToMessage(deltaFrom(new RouteTable(), 3n, ROWS, []));
  const peer = { index: 2, name: 'b', publicKey: KEY, endpoints: ENDPOINTS, stampPort: 862 };
  return [
    encodeCoreFrame(1n, { case: 'routeDelta', value: delta }),
    encodeCoreFrame(2n, { case: 'peerUpdate', value: { set: [peer, { ...peer, index: 3, name: 'c' }] } }),
    encodeCoreFrame(3n, {
      case: 'welcome',
      value: { protocol: 1, nodeId: 'n-1', name: 'a', index: 1, addressPlan: PLAN },
    }),
    encodeCoreFrame(4n, { case: 'probePlan', value: {} }),
    encodeCoreFrame(6n, { case: 'policyUpdate', value: policyUpdateToMessage(POLICY_UPDATE) }),
    encodeCoreFrame(5n, { case: 'refusal', value: { code: 'overloaded', message: 'later', retryAfterMs: 5 } }),
  ];
}

function relayPackets(seeds: CertificateSeeds): Uint8Array[] {
  const [hello = new Uint8Array(), frame = new Uint8Array()] = agentFrames(seeds);
  const [delta = new Uint8Array()] = coreFrames();
  const opened = { nodeId: 'n-1', index: 1, serial: '1f', remoteAddress: '192.0.2.1', epoch: 3n, hello };
  const payloads = [
    encodeHolderRecord(1, { case: 'opened', value: opened }),
    encodeHolderRecord(1, { case: 'frame', value: frame }),
    encodeHolderRecord(1, { case: 'clockSkewMs', value: -5n }),
    encodeHolderRecord(1, { case: 'closed', value: 'goodbye' }),
    encodeHolderRecord(0, { case: 'allAnnounced', value: true }),
    encodeSolverRecord(1, { case: 'frame', value: delta }, 4n),
    encodeSolverRecord(1, { case: 'closed', value: 'goodbye' }),
    new Uint8Array(),
  ];
  return payloads.map((payload, i) =>
    encodeRelayPacket({ kind: payload.length === 0 ? 'beat' : 'data', term: 9, link: 2, seq: i + 1, ack: i, payload }),
  );
}

export function socketTargets(seeds: CertificateSeeds): FuzzTarget[] {
  return [
    {
      name: 'agent-frame',
      source: 'the agent port of a core',
      seeds: () => agentFrames(seeds),
      run: (bytes) => verdict(decodeAgentFrame(bytes)),
    },
    { name: 'core-frame', source: "an agent's stream", seeds: coreFrames, run: runCoreFrame },
    {
      name: 'relay',
      source: 'another core, through NATS',
      seeds: () => relayPackets(seeds),
      run: (bytes) => {
        const packet = decodeRelayPacket(bytes);
        verdict(packet);
        const payload = packet.ok ? packet.value.payload : bytes;
        verdict(decodeHolderRecords(payload));
        verdict(decodeSolverRecords(payload));
      },
    },
    {
      name: 'join-request',
      source: 'POST /v1/join of a core',
      seeds: () => {
        const { signingRequestDer } = seeds;
        const fields = { software: 'thalweg', tokenId: TOKEN.id, tokenSecret: TOKEN.secret, name: 'a', publicKey: KEY };
        return [toBinary(JoinRequestSchema, create(JoinRequestSchema, { ...fields, signingRequestDer }))];
      },
      run: (bytes) => refusing(['protocol_violation', 'invalid_argument'], () => void decodeJoin(bytes)),
    },
    {
      name: 'join-response',
      source: 'the answer to a join',
      seeds: () => {
        const fields = { nodeId: 'n-1', name: 'a', index: 1, addressPlan: PLAN, certificateDer: seeds.certificateDer };
        return [toBinary(JoinResponseSchema, create(JoinResponseSchema, fields))];
      },
      run: (bytes) => {
        const response = orNull(() => fromBinary(JoinResponseSchema, bytes)); // what is no protobuf is caught there, too
        if (response !== null)
          refusing(['protocol_violation'], () => void identityFrom(response, TOKEN, '198.18.0.9:8470'));
      },
    },
    {
      name: 'signing-request',
      source: 'POST /v1/join of a core',
      seeds: () => [seeds.signingRequestDer],
      run: (bytes) => verdict(parseSigningRequest(bytes)),
    },
    {
      name: 'certificate',
      source: 'the answer to a join, and to a renewal',
      seeds: () => [seeds.certificateDer, seeds.caDer],
      run: (bytes) =>
        refusing(['certificate_invalid'], () => void checkCertificate(bytes, seeds.caPem, seeds.tlsKeyPem)),
    },
    {
      name: 'stamp',
      source: 'UDP port 862 of an agent',
      seeds: () => {
        const probe = Buffer.alloc(STAMP_PACKET_BYTES);
        encodeProbe(probe, 7, { seconds: 3_900_000_000, fraction: 5 }, 1);
        return [probe, Buffer.concat([probe, Buffer.alloc(40)])];
      },
      run: runStamp,
    },
    textTarget({
      name: 'token',
      source: 'what is pasted into thalweg join',
      seeds: () => {
        const { addresses, caFingerprint, id, secret } = TOKEN;
        const text = Buffer.from(secret).toString('base64url');
        return [formatJoinToken(TOKEN), JSON.stringify([addresses, caFingerprint, id, text])];
      },
      run: (text) => {
        verdict(parseJoinToken(text));
        // past the check digits, which no mutation gets right
        const middle = Buffer.from(text).toString('base64url');
        const digits = createHash('sha256').update(middle).digest('hex').slice(0, 6);
        verdict(parseJoinToken(`tw1.${middle}.${digits}`));
      },
    }),
    textTarget({
      name: 'small-words',
      source: 'fields of frames, settings and flags',
      seeds: () => [
        '198.18.0.1:8470',
        '[fd00::1]:53',
        '100.64.0.0/10',
        'fd00::/64',
        '100mbit',
        'edge-1',
        `${'A'.repeat(43)}=`,
      ],
      run: (text) => {
        for (const parse of [parseEndpoint, parsePrefix, parseBitRate, parseNodeId, parseNodeName, parsePublicKey]) {
          verdict(parse(text));
        }
        verdict(addressFromBytes(new TextEncoder().encode(text)));
      },
    }),
    textTarget({
      name: 'api-key',
      source: 'Authorization and Host headers of the HTTP API',
      seeds: () => [
        formatApiKey(KEY_OF_API),
        `Bearer ${formatApiKey(KEY_OF_API)}`,
        '127.0.0.1:8471',
        '[::1]',
        'Basic x',
      ],
      run: (text) => {
        verdict(parseApiKey(text));
        const known = (key: string) => {
          // what reaches the store is a key in form, and is never taken for this one unless it is
          const parsed = parseApiKey(key);
          if (parsed.ok && formatApiKey(parsed.value) !== key) throw new Error('one key has two spellings');
          throw new ThalwegError('unauthenticated', 'not taken');
        };
        for (const headers of [{ authorization: text }, { host: text }, { host: '127.0.0.1', via: text }]) {
          refusing(['unauthenticated', 'unauthorized'], () => {
            const caller = identifyCaller({ kind: 'tcp', keylessReading: true }, headers, known);
            if (caller.kind !== 'nobody') throw new Error('somebody without a key');
          });
        }
      },
    }),
    textTarget({
      name: 'api-request',
      source: 'bodies and queries of the HTTP API',
      seeds: () => [
        '{"labels":{"site":"a"},"expiresInS":60,"uses":3}',
        '{"after":"5"}',
        '{"limit":"10"}',
        '{"aware":true}',
        '{"role":"viewer","name":"ci@site","expiresInS":null}',
      ],
      run: (text) => {
        const value = orNull(() => JSON.parse(text) as unknown);
        for (const schema of [tokenCreateInput, keyCreateInput, pathChangesQuery, demandQuery, loadInput]) {
          refusing(['invalid_argument'], () => void parseInput(schema, value));
        }
      },
    }),
  ];
}

function runCoreFrame(bytes: Uint8Array): void {
  const frame = decodeCoreFrame(bytes);
  verdict(frame);
  if (!frame.ok) return;
  const { body } = frame.value;
  if (body.case === 'peerUpdate') for (const peer of body.value.set) verdict(peerFromMessage(peer));
  if (body.case === 'policyUpdate') {
    const update = policyUpdateFromMessage(body.value);
    verdict(update);
    if (update.ok) verdict(applyPolicyUpdate(NO_POLICY, update.value));
  }
  if (body.case !== 'routeDelta') return;
  const delta = routeDeltaFromMessage(body.value);
  verdict(delta);
  if (delta.ok) verdict(new RouteTable().apply(delta.value));
}

function runStamp(bytes: Uint8Array): void {
  const packet = Buffer.from(bytes);
  const fields = newReplyFields();
  const isWhole = packet.length >= STAMP_PACKET_BYTES;
  if (decodeReply(packet, fields) !== isWhole) throw new Error('wrong verdict on the length');
  if (residenceUs(fields) < 0) throw new Error('a reflector that answers before it was asked');
  if (reflectInPlace(packet, 1, { seconds: 1, fraction: 1 }, 1) !== isWhole)
    throw new Error('reflected what is too short');
}

function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
