/**
 * Joining: a token, two public keys and a wanted name become a node with an index, addresses and a certificate, in one
 * commit. A device that lost the answer may ask again with the same token and the same keys and gets the same node.
 */
import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { type JoinRequest, type JoinResponse, JoinResponseSchema } from '../../protocol/gen/thalweg/v1/join_pb.ts';
import { type NodeName, type PublicKey, parseNodeName, publicKeyFromBytes } from '../../protocol/identifier.ts';
import type { Logger } from '../../protocol/log.ts';
import { negotiateVersion, PROTOCOL_MAX, PROTOCOL_MIN } from '../../protocol/version.ts';
import type { JoinTokens } from '../identity/join-tokens.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import { newNodeId } from '../identity/random-id.ts';
import { parseSigningRequest, type SigningRequest } from '../identity/signing-request.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeRecord, TokenRecord } from '../store/store.ts';
import { tokenRefusal } from '../store/token-state.ts';
import { describeDuration } from './rough-duration.ts';

/** Certificates begin an hour in the past; half of what matters for handshakes and logs is far less. */
export const MAX_CLOCK_SKEW_MS = 5 * 60_000;

export interface JoinOutcome {
  readonly response: JoinResponse;
  readonly node: NodeRecord;
  readonly rejoined: boolean;
}

export interface JoinDeps {
  readonly tokens: JoinTokens;
  readonly authority: MeshAuthority;
  readonly registry: NodeRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

export class JoinService {
  readonly #deps: JoinDeps;
  readonly #certificateLifetimeMs: number;

  constructor(deps: JoinDeps, options: { certificateLifetimeMs: number }) {
    this.#deps = deps;
    this.#certificateLifetimeMs = options.certificateLifetimeMs;
  }

  /** Throws a ThalwegError with the code of the refusal; then nothing has changed and no use was counted. */
  join(request: JoinRequest): JoinOutcome {
    checkVersion(request.protocolMin, request.protocolMax);
    const token = this.#deps.tokens.authenticate(request.tokenId, request.tokenSecret);
    const signing = parseSigningRequest(request.signingRequestDer);
    if (!signing.ok) throw new ThalwegError('invalid_argument', signing.reason);
    const publicKey = checkPublicKey(request.publicKey);
    const name = checkName(request.name);
    const tlsKeyHash = createHash('sha256').update(signing.value.publicKeyDer).digest('hex');
    const known = this.#deps.registry.byPublicKey(publicKey);
    if (known !== undefined && known.tokenId === token.id && known.tlsKeyHash === tlsKeyHash) {
      return this.#rejoin(known, token, signing.value, request);
    }
    const refusal = tokenRefusal(token, this.#deps.clock.nowMs());
    if (refusal !== undefined) throw refusal;
    checkClock(Number(request.clockUnixMs), this.#deps.clock.nowMs());
    if (known !== undefined) {
      throw new ThalwegError('already_exists', `the WireGuard key belongs to node ${known.name}`, {
        nextStep: `remove that node with \`thalweg node remove ${known.name}\`, or let the device make a new key`,
        fields: { name: known.name },
      });
    }
    const id = newNodeId();
    const issued = this.#issue(id, signing.value);
    const node = this.#deps.registry.admit({
      id,
      name,
      publicKey,
      tlsKeyHash,
      labels: token.labels,
      tokenId: token.id,
      serial: issued.serial,
      certificateExpiresAtMs: issued.expiresAtMs,
    });
    this.#deps.log.info('node joined', { nodeId: id, name: node.name, index: node.index, tokenId: token.id });
    return { response: this.#response(node, issued.der), node, rejoined: false };
  }

  /** Same token, same keys: the answer was lost on its way. Good also when that used the token up or it expired since. */
  #rejoin(known: NodeRecord, token: TokenRecord, signing: SigningRequest, request: JoinRequest): JoinOutcome {
    if (token.revokedAtMs !== null) throw tokenRefusal(token, this.#deps.clock.nowMs()) as ThalwegError;
    checkClock(Number(request.clockUnixMs), this.#deps.clock.nowMs());
    const issued = this.#issue(known.id, signing);
    const node = this.#deps.registry.setCertificate(known, issued, known.serial, true);
    this.#deps.log.info('node joined again', { nodeId: node.id, name: node.name, index: node.index });
    return { response: this.#response(node, issued.der), node, rejoined: true };
  }

  #issue(nodeId: string, signing: SigningRequest) {
    const { authority, clock } = this.#deps;
    // the present one: it is all that a joining device trusts; where another follows, the node is moved in its first session
    return authority.issueNodeCertificate(nodeId, signing.publicKey, clock.nowMs(), this.#certificateLifetimeMs);
  }

  #response(node: NodeRecord, certificateDer: Uint8Array): JoinResponse {
    return create(JoinResponseSchema, {
      nodeId: node.id,
      name: node.name,
      index: node.index,
      certificateDer,
      addressPlan: { ...this.#deps.registry.ranges.plan },
      clockUnixMs: BigInt(this.#deps.clock.nowMs()),
    });
  }
}

/** Throws protocol_version, naming both ranges. */
export function checkVersion(theirMin: number, theirMax: number): number {
  const version = negotiateVersion(theirMin, theirMax);
  if (version !== undefined) return version;
  const older = theirMax < PROTOCOL_MIN ? 'agent' : 'core';
  throw new ThalwegError(
    'protocol_version',
    `the agent speaks protocol versions ${theirMin} to ${theirMax}, the core ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
    { fields: { theirMin, theirMax, ourMin: PROTOCOL_MIN, ourMax: PROTOCOL_MAX }, nextStep: `upgrade the ${older}` },
  );
}

function checkClock(theirUnixMs: number, ourUnixMs: number): void {
  const skewMs = theirUnixMs - ourUnixMs;
  if (Math.abs(skewMs) <= MAX_CLOCK_SKEW_MS) return;
  throw new ThalwegError(
    'clock_skew',
    `the device's clock is ${describeDuration(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead of'} the core's, ` +
      `which says ${new Date(ourUnixMs).toISOString()}`,
    {
      fields: { skewMs },
      nextStep: 'set the clock (`timedatectl set-ntp true`, or `date -u -s`) and join again',
    },
  );
}

function checkPublicKey(bytes: Uint8Array): PublicKey {
  const key = publicKeyFromBytes(bytes);
  if (!key.ok) throw new ThalwegError('invalid_argument', `public_key: ${key.reason}`);
  if (bytes.every((byte) => byte === 0)) throw new ThalwegError('invalid_argument', 'public_key is all zero');
  return key.value;
}

function checkName(text: string): NodeName | null {
  if (text === '') return null;
  const name = parseNodeName(text);
  if (!name.ok) {
    throw new ThalwegError('invalid_argument', `name ${JSON.stringify(text.slice(0, 80))}: ${name.reason}`, {
      nextStep: 'join with another --name, or without one',
    });
  }
  return name.value;
}
