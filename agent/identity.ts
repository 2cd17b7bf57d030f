/**
 * Who this device is in the mesh, and the files that say so:
 *
 *   identity.json        0600  node id, name, index, address plan, core addresses, CA fingerprint
 *   wireguard.key        0600  WireGuard private key, base64 as `wg` takes it
 *   wireguard-next.key   0600  while the key is being changed: the one that follows; wireguard-previous.key: the one before
 *   tls.key              0600  EC P-256 private key, PKCS #8 PEM
 *   tls.crt              0600  certificate, PEM
 *   ca.crt               0600  the mesh's CA, PEM; two while one follows the other
 *   signing-request.der  0600  PKCS #10 request for tls.key, sent again at each renewal
 */
import { X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeAddresses } from '../overlay/overlay-state.ts';
import { type AddressPlan, AddressRanges } from '../protocol/address-plan.ts';
import { type Parsed, ThalwegError } from '../protocol/error.ts';
import {
  type NodeId,
  type NodeIndex,
  type NodeName,
  parseNodeId,
  parseNodeIndex,
  parseNodeName,
} from '../protocol/identifier.ts';
import { readSmallFile, writeFileAtomically } from './atomic-file.ts';
import { readCheckedFile } from './checked-file.ts';

export interface Identity {
  readonly nodeId: NodeId;
  readonly name: NodeName;
  readonly index: NodeIndex;
  readonly addressPlan: AddressPlan;
  /** `host:port` of each core's agent port, tried in turn. */
  readonly coreAddresses: readonly string[];
  /** SHA-256 over the DER of the CA certificate, 64 hex digits. */
  readonly caFingerprint: string;
}

/** What mutual TLS with the core needs. PEM text. Never logged. */
export interface Credentials {
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

/** No file of ours but the table comes near this. */
const MAX_FILE_BYTES = 64 * 1024;

export const IDENTITY_FILES = [
  'identity.json',
  'wireguard.key',
  'wireguard-next.key',
  'wireguard-previous.key',
  'tls.key',
  'tls.crt',
  'ca.crt',
  'signing-request.der',
  'table.json',
] as const;

/** The state directory of an agent. All methods may throw ThalwegError `storage_failed`, `disk_full`, `missing_privilege`. */
export class IdentityStore {
  readonly stateDir: string;

  constructor(stateDir: string) {
    this.stateDir = stateDir;
  }

  path(file: (typeof IDENTITY_FILES)[number]): string {
    return join(this.stateDir, file);
  }

  /** Undefined when the device has not joined. Throws `storage_failed` when the file is damaged. */
  load(): Promise<Identity | undefined> {
    return readCheckedFile(this.path('identity.json'), { maxBytes: MAX_FILE_BYTES, parse: parseIdentity });
  }

  /** Like `load`, but a device that has not joined is an error. */
  async loadJoined(): Promise<Identity> {
    const identity = await this.load();
    if (identity !== undefined) return identity;
    throw new ThalwegError('not_joined', `this device has not joined a mesh: ${this.stateDir} holds no identity`, {
      fields: { stateDir: this.stateDir },
      nextStep: 'make a token on the core with `thalweg token create` and run `thalweg join TOKEN` here',
    });
  }

  async save(identity: Identity): Promise<void> {
    await writeFileAtomically(this.path('identity.json'), `${JSON.stringify(identity, null, 2)}\n`, 0o600);
  }

  /** Throws `not_joined` when a file is missing. */
  async loadCredentials(): Promise<Credentials> {
    const [caPem, certificatePem, keyPem] = await Promise.all([
      this.#required('ca.crt'),
      this.#required('tls.crt'),
      this.#required('tls.key'),
    ]);
    return { caPem, certificatePem, keyPem };
  }

  async loadSigningRequest(): Promise<Uint8Array | undefined> {
    const bytes = await readSmallFile(this.path('signing-request.der'), MAX_FILE_BYTES);
    return bytes === undefined ? undefined : new Uint8Array(bytes);
  }

  async saveCertificate(der: Uint8Array): Promise<void> {
    await writeFileAtomically(this.path('tls.crt'), new X509Certificate(der).toString(), 0o600);
  }

  /** PEM after PEM. */
  async saveCaBundle(pem: string): Promise<void> {
    await writeFileAtomically(this.path('ca.crt'), pem, 0o600);
  }

  /** Deletes all that ties this device to a mesh, keys too. */
  async forget(): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const file of IDENTITY_FILES) {
      if ((await readSmallFile(this.path(file), Number.MAX_SAFE_INTEGER)) === undefined) continue;
      await rm(this.path(file), { force: true });
      removed.push(`file remove ${file}`);
    }
    return removed;
  }

  async #required(file: (typeof IDENTITY_FILES)[number]): Promise<string> {
    const bytes = await readSmallFile(this.path(file), MAX_FILE_BYTES);
    if (bytes !== undefined) return bytes.toString('utf8');
    throw new ThalwegError('not_joined', `${this.path(file)} is missing`, {
      fields: { path: this.path(file) },
      nextStep: 'run `thalweg agent down --forget` and join again with a new token',
    });
  }
}

/** The three addresses of a node. */
export function addressesOf(ranges: AddressRanges, index: NodeIndex): NodeAddresses {
  return {
    tunnel: ranges.tunnelAddress(index),
    node4: ranges.node4Address(index),
    node6: ranges.node6Address(index),
  };
}

/** The node's own addresses. `identity` has been parsed, so its plan is known to be good. */
export function ownAddresses({ addressPlan, index }: Pick<Identity, 'addressPlan' | 'index'>): NodeAddresses {
  return addressesOf(rangesOf(addressPlan), index);
}

/** Ranges of a plan that has been checked; throws `internal` otherwise. */
export function rangesOf(plan: AddressPlan): AddressRanges {
  const ranges = AddressRanges.parse(plan);
  if (ranges.ok) return ranges.value;
  throw new ThalwegError('internal', `the address plan is not valid: ${ranges.reason}`);
}

/** Checks an address plan and an index from outside against each other. */
export function checkedPlan(
  plan: AddressPlan | undefined,
  index: number,
): Parsed<{ plan: AddressPlan; index: NodeIndex }> {
  if (plan === undefined) return { ok: false, reason: 'there is no address plan' };
  const { tunnel, node4, node6 } = plan;
  const ranges = AddressRanges.parse({ tunnel, node4, node6 });
  if (!ranges.ok) return ranges;
  const parsedIndex = parseNodeIndex(index);
  if (!parsedIndex.ok) return parsedIndex;
  if (index > ranges.value.maxIndex) {
    return { ok: false, reason: `index ${index} is beyond the ranges (${ranges.value.maxIndex})` };
  }
  return { ok: true, value: { plan: { tunnel, node4, node6 }, index: parsedIndex.value } };
}

/** Parses identity.json. Never throws. */
export function parseIdentity(text: string): Parsed<Identity> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null) return { ok: false, reason: 'it is not an object' };
  const record = value as Record<string, unknown>;
  const nodeId = parseNodeId(textOf(record.nodeId));
  if (!nodeId.ok) return { ok: false, reason: `nodeId: ${nodeId.reason}` };
  const name = parseNodeName(textOf(record.name));
  if (!name.ok) return { ok: false, reason: `name: ${name.reason}` };
  const plan = planFromJson(record.addressPlan);
  const checked = checkedPlan(plan, typeof record.index === 'number' ? record.index : -1);
  if (!checked.ok) return { ok: false, reason: checked.reason };
  const { coreAddresses, caFingerprint } = record;
  if (!Array.isArray(coreAddresses) || coreAddresses.length === 0 || coreAddresses.length > 16) {
    return { ok: false, reason: 'coreAddresses is not a list of 1 to 16' };
  }
  if (!coreAddresses.every((a): a is string => typeof a === 'string' && a.length <= 262)) {
    return { ok: false, reason: 'coreAddresses holds something that is not host:port' };
  }
  if (typeof caFingerprint !== 'string' || !/^[0-9a-f]{64}$/.test(caFingerprint)) {
    return { ok: false, reason: 'caFingerprint is not 64 hex digits' };
  }
  return {
    ok: true,
    value: {
      nodeId: nodeId.value,
      name: name.value,
      index: checked.value.index,
      addressPlan: checked.value.plan,
      coreAddresses,
      caFingerprint,
    },
  };
}

/** Empty for what is no text: JSON has objects that `String` throws for. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function planFromJson(value: unknown): AddressPlan | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { tunnel, node4, node6 } = value as Record<string, unknown>;
  if (typeof tunnel !== 'string' || typeof node4 !== 'string' || typeof node6 !== 'string') return undefined;
  return { tunnel, node4, node6 };
}
