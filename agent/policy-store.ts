/**
 * What the agent lets in, remembered: read at start, so that a device that reboots while the core is away lets in whom it did
 * before, and nobody else.
 *
 * policy.json: { version: 1, generation, checksum, active, rules: [[set or null, [service, …]], …], sets: [[id, [index, …]], …] }
 *
 * The file is parsed and checked like a frame. One that is damaged may have held a policy: then nobody is let in until the
 * core says more.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Parsed } from '../protocol/error.ts';
import { MAX_NODE_INDEX } from '../protocol/identifier.ts';
import type { Logger } from '../protocol/log.ts';
import {
  MAX_NODE_RULES,
  MAX_SET_MEMBERS,
  NO_POLICY,
  type NodePolicyState,
  type NodeRule,
  policyChecksum,
} from '../protocol/node-policy.ts';
import { formatService, parseService, type Service } from '../protocol/service.ts';
import { readCheckedFile } from './checked-file.ts';
import { LatestWrite, type LatestWriteDeps } from './latest-write.ts';

/** A million members take 8 MB. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Nobody is let in. No core gives this generation. */
export const CLOSED: NodePolicyState = { ...NO_POLICY, active: true };

export class PolicyStore {
  readonly #log: Logger;
  readonly #path: string;
  readonly #file: LatestWrite<NodePolicyState>;

  constructor(deps: LatestWriteDeps, options: { readonly stateDir: string }) {
    this.#log = deps.log;
    this.#path = join(options.stateDir, 'policy.json');
    this.#file = new LatestWrite(deps, { path: this.#path, what: 'the policy', format: formatStoredPolicy });
  }

  /** Never throws. Without a file: no policy. */
  async load(): Promise<NodePolicyState> {
    try {
      return (await readCheckedFile(this.#path, { maxBytes: MAX_FILE_BYTES, parse: parseStoredPolicy })) ?? NO_POLICY;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#log.error('the remembered policy cannot be used: nobody is let in until the core is reached', {
        path: this.#path,
        reason,
      });
    }
    await rename(this.#path, `${this.#path}.damaged`).catch(() => {});
    // a further start must not take the missing file for no policy
    this.save(CLOSED);
    await this.flush();
    return CLOSED;
  }

  /** Soon; never throws. The last of several is what stays. */
  save(state: NodePolicyState): void {
    this.#file.save(state);
  }

  /** Resolves when what was last saved is on disk, or could not be. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}

export function formatStoredPolicy(state: NodePolicyState): string {
  const { generation, active, rules, sets } = state;
  return JSON.stringify({
    version: 1,
    generation: String(generation),
    checksum: String(policyChecksum(state)),
    active,
    rules: rules.map(({ set, services }) => [set === null ? null : String(set), services.map(formatService)]),
    sets: [...sets].map(([id, members]) => [String(id), [...members]]),
  });
}

/** Never throws. */
export function parseStoredPolicy(text: string): Parsed<NodePolicyState> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null) return { ok: false, reason: 'it is not an object' };
  const { version, generation, checksum, active, rules, sets } = value as Record<string, unknown>;
  if (version !== 1) return { ok: false, reason: 'its version is not 1' };
  const [atGeneration, wanted] = [parseUint64(generation), parseUint64(checksum)];
  if (atGeneration === undefined || wanted === undefined || typeof active !== 'boolean') {
    return { ok: false, reason: 'its generation, its checksum or whether it is active is not said' };
  }
  if (!Array.isArray(rules) || rules.length > MAX_NODE_RULES) return { ok: false, reason: 'its rules are no list' };
  if (!Array.isArray(sets) || sets.length > MAX_NODE_RULES) return { ok: false, reason: 'its sets are no list' };
  const parsedRules: NodeRule[] = [];
  for (const rule of rules as unknown[]) {
    const parsed = parseRule(rule);
    if (!parsed.ok) return parsed;
    parsedRules.push(parsed.value);
  }
  const parsedSets = new Map<bigint, ReadonlySet<number>>();
  let members = 0;
  for (const set of sets as unknown[]) {
    const [id, list] = Array.isArray(set) ? (set as unknown[]) : [];
    const parsedId = parseUint64(id);
    if (parsedId === undefined || !Array.isArray(list) || !list.every(isIndex)) return { ok: false, reason: 'a set' };
    parsedSets.set(parsedId, new Set(list));
    members += list.length;
  }
  if (members > MAX_SET_MEMBERS) return { ok: false, reason: `its sets have ${members} members` };
  const state = { generation: atGeneration, active, rules: parsedRules, sets: parsedSets };
  if (parsedRules.some(({ set }) => set !== null && !parsedSets.has(set))) {
    return { ok: false, reason: 'a rule names a set that is not there' };
  }
  return policyChecksum(state) === wanted ? { ok: true, value: state } : { ok: false, reason: 'its checksum is wrong' };
}

function parseRule(value: unknown): Parsed<NodeRule> {
  const [set, words] = Array.isArray(value) ? (value as unknown[]) : [];
  const id = set === null ? null : parseUint64(set);
  if (id === undefined || !Array.isArray(words) || words.length === 0 || words.length > 4) {
    return { ok: false, reason: 'a rule' };
  }
  const services: Service[] = [];
  for (const word of words as unknown[]) {
    const service = parseService(typeof word === 'string' ? word : '');
    if (!service.ok) return service;
    services.push(service.value);
  }
  return { ok: true, value: { set: id, services } };
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_NODE_INDEX;
}

function parseUint64(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) return undefined;
  const parsed = BigInt(value);
  return parsed < 2n ** 64n ? parsed : undefined;
}
