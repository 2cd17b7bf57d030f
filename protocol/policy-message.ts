/** Policy updates of the agent stream: messages <-> the values that both ends compute with. Never throws. */
import { create } from '@bufbuild/protobuf';
import type { Parsed } from './error.ts';
import {
  PolicyProtocol,
  type PolicyUpdate as PolicyUpdateMessage,
  PolicyUpdateSchema,
} from './gen/thalweg/v1/session_pb.ts';
import { MAX_NODE_INDEX } from './identifier.ts';
import { MAX_NODE_RULES, MAX_SET_MEMBERS, type NodeRule, type PolicyUpdate } from './node-policy.ts';
import {
  hasPorts,
  MAX_PORT_RANGES,
  mergeServices,
  type PortRange,
  type Service,
  type ServiceProtocol,
} from './service.ts';

const PROTOCOL_TO_NUMBER: Record<ServiceProtocol, PolicyProtocol> = {
  tcp: PolicyProtocol.TCP,
  udp: PolicyProtocol.UDP,
  icmp: PolicyProtocol.ICMP,
  any: PolicyProtocol.ANY,
};
const NUMBER_TO_PROTOCOL = new Map<number, ServiceProtocol>(
  (Object.keys(PROTOCOL_TO_NUMBER) as ServiceProtocol[]).map((name) => [PROTOCOL_TO_NUMBER[name], name]),
);

/** Rules of one node may join those of many lines: more ranges than one line may have. */
const MAX_RULE_RANGES = 32 * MAX_PORT_RANGES;

export function policyUpdateToMessage(update: PolicyUpdate): PolicyUpdateMessage {
  const { generation, baseGeneration, full, active, checksum } = update;
  return create(PolicyUpdateSchema, {
    generation,
    baseGeneration,
    full,
    active,
    checksum,
    rules: update.rules.map(({ set, services }) => ({
      set: set ?? 0n,
      services: services.map(({ protocol, ports }) => ({
        protocol: PROTOCOL_TO_NUMBER[protocol],
        ports: ports.flat(),
      })),
    })),
    sets: update.sets.map(({ id, reset, add, remove }) => ({ id, reset, add: [...add], remove: [...remove] })),
  });
}

/** What is wrong with the size of an update; undefined: nothing. */
export function policyUpdateFault({ rules, sets }: Pick<PolicyUpdateMessage, 'rules' | 'sets'>): string | undefined {
  if (rules.length > MAX_NODE_RULES) return `policy_update has ${rules.length} rules`;
  if (sets.length > MAX_NODE_RULES) return `policy_update has ${sets.length} sets`;
  const members = sets.reduce((sum, { add, remove }) => sum + add.length + remove.length, 0);
  return members > 2 * MAX_SET_MEMBERS ? 'policy_update is too long' : undefined;
}

export function policyUpdateFromMessage(message: PolicyUpdateMessage): Parsed<PolicyUpdate> {
  const fault = policyUpdateFault(message);
  if (fault !== undefined) return { ok: false, reason: fault };
  const rules: NodeRule[] = [];
  for (const [at, rule] of message.rules.entries()) {
    const services: Service[] = [];
    for (const { protocol: number, ports } of rule.services) {
      const service = serviceFromMessage(number, ports);
      if (!service.ok) return { ok: false, reason: `rule ${at}: ${service.reason}` };
      services.push(service.value);
    }
    if (services.length === 0) return { ok: false, reason: `rule ${at} has no service` };
    rules.push({ set: rule.set === 0n ? null : rule.set, services: mergeServices(services) });
  }
  for (const { id, add, remove } of message.sets) {
    if (id === 0n) return { ok: false, reason: 'a set has no id' };
    const stray = [...add, ...remove].find((index) => index < 1 || index > MAX_NODE_INDEX);
    if (stray !== undefined) return { ok: false, reason: `set ${id}: index ${stray} is out of range` };
  }
  const { generation, baseGeneration, full, active, checksum } = message;
  const sets = message.sets.map(({ id, reset, add, remove }) => ({ id, reset, add, remove }));
  return { ok: true, value: { generation, baseGeneration, full, active, rules, sets, checksum } };
}

function serviceFromMessage(number: number, ports: readonly number[]): Parsed<Service> {
  const protocol = NUMBER_TO_PROTOCOL.get(number);
  if (protocol === undefined) return { ok: false, reason: `protocol ${number} is unknown` };
  if (!hasPorts(protocol)) {
    return ports.length === 0 ? { ok: true, value: { protocol, ports: [] } } : { ok: false, reason: 'ports of no use' };
  }
  if (ports.length === 0 || ports.length % 2 !== 0 || ports.length > 2 * MAX_RULE_RANGES) {
    return { ok: false, reason: `${ports.length} ends of port ranges` };
  }
  const ranges: PortRange[] = [];
  for (let at = 0; at < ports.length; at += 2) {
    const [first = 0, last = 0] = [ports[at], ports[at + 1]];
    // 0 is nobody's port: it stands only where all ports are meant, in protocol/service.ts
    if (first > last || last > 65_535 || (first === 0 && last !== 65_535))
      return { ok: false, reason: `ports ${first} to ${last}` };
    ranges.push([first, last]);
  }
  return { ok: true, value: { protocol, ports: ranges } };
}
