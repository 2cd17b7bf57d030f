/**
 * Joining: from the one string an operator pasted to an identity on disk.
 *
 *   1. GET /v1/ca from each core address in turn, trusting nothing; its SHA-256 must be the token's fingerprint.
 *      Nothing secret has been sent until here.
 *   2. POST /v1/join, verified against that CA: token, signing request, WireGuard public key.
 *   3. Certificate, CA and identity are written; identity.json last, so that a join either happened or did not.
 *
 * The keys are written before step 2 and kept where the core's answer may have been lost on its way: the same command
 * then joins with the same keys.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
// biome-ignore lint/style/noRestrictedImports: a command that waits must keep its process alive; the clock's timers do not
import { setTimeout } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Clock, systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { JoinRequestSchema, type JoinResponse, JoinResponseSchema } from '../protocol/gen/thalweg/v1/join_pb.ts';
import { type NodeName, parseNodeId, parseNodeName, publicKeyToBytes } from '../protocol/identifier.ts';
import { type JoinToken, parseJoinToken } from '../protocol/join-token.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../protocol/version.ts';
import { ensurePrivateDirectory, readSmallFile, writeFileAtomically } from './atomic-file.ts';
import { type FoundCore, fetchCa } from './core-ca.ts';
import { clockSkewError, connectionError, notACore, refusalError } from './core-error.ts';
import { askCore } from './core-request.ts';
import { checkedPlan, type Identity, IdentityStore, ownAddresses } from './identity.ts';
import { issuerOf, readBundle } from './trust-bundle.ts';
import { generateWireGuardKey, wireGuardPublicKey } from './wireguard-key.ts';

export interface JoinOptions {
  readonly token: string;
  /** Wanted node name, a DNS label. Default: the host name made into one. */
  readonly name?: string;
  readonly stateDir: string;
}

export interface JoinResult {
  readonly nodeId: string;
  readonly name: string;
  readonly index: number;
  readonly tunnelAddress: string;
  readonly node4: string;
  readonly node6: string;
}

export interface JoinDeps {
  readonly clock: Clock;
  readonly hostname: () => string;
  /** Unlike the clock's timers, keeps the process alive. */
  readonly sleep: (delayMs: number) => Promise<unknown>;
}

const SYSTEM_DEPS: JoinDeps = { clock: systemClock, hostname, sleep: setTimeout };

/** A core that admits joins slowly says when to come back; a person at a terminal waits about this long. */
const MAX_ADMISSION_WAIT_MS = 120_000;
const MAX_KEY_BYTES = 8192;
const KEY_FILES = ['wireguard.key', 'tls.key', 'signing-request.der'] as const;

/**
 * Joins this device. Throws ThalwegError: `token_*`, `ca_mismatch`, `clock_skew`, `name_taken`, `already_exists`,
 * `unreachable`, `timeout` and what else the core refuses with; `nextStep` says what to do. After a refusal nothing of
 * this join is on disk.
 */
export async function joinNode(options: JoinOptions, deps: JoinDeps = SYSTEM_DEPS): Promise<JoinResult> {
  const parsedToken = parseJoinToken(options.token);
  if (!parsedToken.ok) {
    throw new ThalwegError('token_malformed', parsedToken.reason, {
      nextStep: 'paste the whole token as `thalweg token create` printed it',
    });
  }
  const token = parsedToken.value;
  const name = wantedName(options.name, deps.hostname());
  const store = new IdentityStore(options.stateDir);
  await refuseWhenJoined(store);
  const core = await findCore(token, deps.clock);
  await ensurePrivateDirectory(options.stateDir);
  const keys = await prepareKeys(store);
  let response: JoinResponse;
  try {
    response = await requestJoin(core, token, name, keys, deps);
  } catch (cause) {
    const answerMayBeLost = cause instanceof ThalwegError && (cause.code === 'timeout' || cause.code === 'unreachable');
    if (keys.created && !answerMayBeLost) await removeKeys(store);
    throw cause;
  }
  const identity = identityFrom(response, token, core.address);
  checkCertificate(response.certificateDer, core.caPem, keys.tlsKeyPem);
  await writeFileAtomically(store.path('ca.crt'), core.caPem, 0o600);
  await store.saveCertificate(response.certificateDer);
  await store.save(identity);
  const { tunnel, node4, node6 } = ownAddresses(identity);
  return { nodeId: identity.nodeId, name: identity.name, index: identity.index, tunnelAddress: tunnel, node4, node6 };
}

/** A host name made into a DNS label: lower case, what is no letter or digit becomes `-`, at most 63 characters. */
export function labelFromHostname(host: string): string {
  const first = host.toLowerCase().split('.')[0] ?? '';
  return first
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 63)
    .replace(/-+$/, '');
}

/** The given name, checked; else the host name's label; else empty, and the core chooses. */
function wantedName(given: string | undefined, host: string): NodeName | '' {
  const parsed = parseNodeName(given ?? labelFromHostname(host));
  if (parsed.ok) return parsed.value;
  if (given === undefined) return '';
  throw new ThalwegError('invalid_argument', `name "${given.slice(0, 80)}": ${parsed.reason}`, {
    fields: { name: given.slice(0, 80) },
    nextStep: 'choose another name with --name',
  });
}

async function refuseWhenJoined(store: IdentityStore): Promise<void> {
  const identity = await store.load();
  if (identity === undefined) return;
  throw new ThalwegError('already_exists', `this device is already node ${identity.name} (${identity.nodeId})`, {
    fields: { name: identity.name, nodeId: identity.nodeId, stateDir: store.stateDir },
    nextStep: 'to join another mesh, run `thalweg agent down --forget` first',
  });
}

/** The first address that answers with the CA of the token. */
async function findCore(token: JoinToken, clock: Clock): Promise<FoundCore> {
  const failures: ThalwegError[] = [];
  for (const address of token.addresses) {
    try {
      return await fetchCa(address, token.caFingerprint, clock);
    } catch (cause) {
      const error = connectionError(address, cause);
      if (error.code === 'clock_skew') throw error;
      failures.push(error);
    }
  }
  // Somebody answering with another CA says more than another address being silent.
  const worst = failures.find((f) => f.code === 'ca_mismatch') ?? failures[0];
  if (worst === undefined) throw new ThalwegError('internal', 'the token names no core address');
  if (failures.length === 1 || worst.code === 'ca_mismatch') throw worst;
  throw new ThalwegError(
    'unreachable',
    `none of the ${failures.length} core addresses answered: ${failures.map((f) => f.message).join('; ')}`,
    {
      fields: { addresses: token.addresses.join(', ') },
      nextStep: 'check that the core runs and that its agent port (TCP) is open from this device',
    },
  );
}

interface JoinKeys {
  readonly publicKey: Uint8Array;
  readonly tlsKeyPem: string;
  readonly signingRequest: Uint8Array;
  /** False: they were there from an earlier attempt. */
  readonly created: boolean;
}

async function prepareKeys(store: IdentityStore): Promise<JoinKeys> {
  // Only now: it loads the X.509 library, which a running agent, having joined, never needs.
  const { buildSigningRequest, generateTlsKey } = await import('./signing-request.ts');
  const oldWireGuardKey = await readSmallFile(store.path('wireguard.key'), MAX_KEY_BYTES);
  const oldTlsKey = await readSmallFile(store.path('tls.key'), MAX_KEY_BYTES);
  const created = oldWireGuardKey === undefined || oldTlsKey === undefined;
  const wireGuardKey = oldWireGuardKey?.toString('utf8') ?? generateWireGuardKey();
  const tlsKeyPem = oldTlsKey?.toString('utf8') ?? generateTlsKey();
  const signingRequest = await buildSigningRequest(tlsKeyPem);
  if (oldWireGuardKey === undefined) await writeFileAtomically(store.path('wireguard.key'), `${wireGuardKey}\n`, 0o600);
  if (oldTlsKey === undefined) await writeFileAtomically(store.path('tls.key'), tlsKeyPem, 0o600);
  await writeFileAtomically(store.path('signing-request.der'), signingRequest, 0o600);
  return { publicKey: publicKeyToBytes(wireGuardPublicKey(wireGuardKey)), tlsKeyPem, signingRequest, created };
}

async function removeKeys(store: IdentityStore): Promise<void> {
  for (const file of KEY_FILES) await rm(store.path(file), { force: true });
}

async function requestJoin(
  core: FoundCore,
  token: JoinToken,
  name: string,
  keys: JoinKeys,
  deps: JoinDeps,
): Promise<JoinResponse> {
  const { clock } = deps;
  const startedAtMonoMs = clock.monoMs();
  for (;;) {
    const request = create(JoinRequestSchema, {
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      software: SOFTWARE_VERSION,
      tokenId: token.id,
      tokenSecret: token.secret,
      name,
      signingRequestDer: keys.signingRequest,
      publicKey: keys.publicKey,
      clockUnixMs: BigInt(clock.nowMs()),
    });
    const response = await postJoin(core, toBinary(JoinRequestSchema, request));
    const { refusal } = response;
    if (refusal === undefined) return response;
    const waitMs = refusal.retryAfterMs;
    const waitedMs = clock.monoMs() - startedAtMonoMs;
    if (refusal.code !== 'overloaded' || waitMs === 0 || waitedMs + waitMs > MAX_ADMISSION_WAIT_MS) {
      if (refusal.code === 'clock_skew') throw clockSkewError(skewOf(response, core, clock));
      throw refusalError(refusal);
    }
    await deps.sleep(waitMs);
  }
}

async function postJoin(core: FoundCore, body: Uint8Array): Promise<JoinResponse> {
  try {
    const answer = await askCore({ address: core.address, method: 'POST', path: '/v1/join', body, caPem: core.caPem });
    try {
      const response = fromBinary(JoinResponseSchema, answer.body);
      if (response.refusal !== undefined || answer.status === 200) return response;
    } catch {
      // Not protobuf: said below with the status.
    }
    throw notACore(core.address, `POST /v1/join was answered with status ${answer.status} and no join response`);
  } catch (cause) {
    throw connectionError(core.address, cause, core.skewMs);
  }
}

/** The node that the core made of this device. Throws `protocol_violation`. */
export function identityFrom(response: JoinResponse, token: JoinToken, address: string): Identity {
  const nodeId = parseNodeId(response.nodeId);
  const name = parseNodeName(response.name);
  const checked = checkedPlan(response.addressPlan, response.index);
  if (!nodeId.ok) throw notACore(address, nodeId.reason);
  if (!name.ok) throw notACore(address, name.reason);
  if (!checked.ok) throw notACore(address, checked.reason);
  return {
    nodeId: nodeId.value,
    name: name.value,
    index: checked.value.index,
    addressPlan: checked.value.plan,
    // The one that answered first, so that the agent begins there.
    coreAddresses: [address, ...token.addresses.filter((a) => a !== address)],
    caFingerprint: token.caFingerprint,
  };
}

/** The certificate must be of this CA and for this device's key. Throws `certificate_invalid`. */
export function checkCertificate(certificateDer: Uint8Array, caPem: string, tlsKeyPem: string): X509Certificate {
  let certificate: X509Certificate;
  let certifiedKey: Buffer;
  try {
    certificate = new X509Certificate(certificateDer);
    // of a certificate whose form is right and whose key is no point of its curve, this throws
    certifiedKey = certificate.publicKey.export({ format: 'der', type: 'spki' });
  } catch (cause) {
    throw new ThalwegError('certificate_invalid', 'what the core issued is not a certificate', { cause });
  }
  const ownKey = createPublicKey(tlsKeyPem).export({ format: 'der', type: 'spki' });
  if (!certifiedKey.equals(ownKey)) {
    throw new ThalwegError('certificate_invalid', "the certificate the core issued is not for this device's key");
  }
  if (issuerOf(certificate, readBundle(caPem)) === undefined) {
    throw new ThalwegError('certificate_invalid', "the certificate the core issued is not signed by the core's CA");
  }
  return certificate;
}

/** A refusal may leave the clock out; the answer to GET /v1/ca had it. */
function skewOf(response: JoinResponse, core: FoundCore, clock: Clock): number {
  return response.clockUnixMs === 0n ? core.skewMs : Number(response.clockUnixMs) - clock.nowMs();
}
