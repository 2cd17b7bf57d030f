/** Refuses a spec that cannot be built, before anything is made. */
import { ThalwegError } from '../protocol/error.ts';
import { parseNodeName } from '../protocol/identifier.ts';
import { isLabName, MAX_HOST_NUMBER, NET_HOST, namespaceName } from './host-plan.ts';
import { CORE_HOST, type LabSpec } from './lab-spec.ts';
import { linkKey } from './lab-state.ts';
import { type LinkShape, linkShapeSchema } from './link-shape.ts';
import { listNamespaces } from './namespace.ts';

const MAX_HOST_NAME = 40;

/** The shapes of all ordered pairs, by `from>to`. Throws invalid_argument, already_exists. */
export function checkLabSpec(spec: LabSpec): Record<string, LinkShape> {
  if (!isLabName(spec.name)) {
    const name = JSON.stringify(spec.name.slice(0, 60));
    throw new ThalwegError('invalid_argument', `the lab name ${name} is not 1 to 24 of a-z, 0-9 and -`, {
      nextStep: 'pass another with --name',
    });
  }
  const names = [...spec.hosts.map((host) => host.name), CORE_HOST];
  if (names.length > MAX_HOST_NUMBER) throw invalid(`${names.length} hosts are more than ${MAX_HOST_NUMBER}`);
  for (const [index, { name }] of spec.hosts.entries()) {
    const parsed = parseNodeName(name);
    if (!parsed.ok) throw invalid(`host name ${JSON.stringify(name.slice(0, 60))}: ${parsed.reason}`);
    if (name.length > MAX_HOST_NAME) throw invalid(`host name ${name} is longer than ${MAX_HOST_NAME} characters`);
    if (name === CORE_HOST || name === NET_HOST) throw invalid(`the host name ${name} is the lab's own`);
    if (names.indexOf(name) !== index) throw invalid(`two hosts are named ${name}`);
  }
  const existing = new Set(listNamespaces());
  for (const host of [...names, NET_HOST]) {
    if (!existing.has(namespaceName(spec.name, host))) continue;
    const namespace = namespaceName(spec.name, host);
    throw new ThalwegError('already_exists', `a lab named ${spec.name} is there already (namespace ${namespace})`, {
      fields: { name: spec.name, namespace },
      nextStep: `take it down with \`thalweg lab down ${spec.name}\`, or give this one another name with --name`,
    });
  }
  const links: Record<string, LinkShape> = {};
  for (const from of names) {
    for (const to of names) {
      if (from !== to) links[linkKey(from, to)] = checkShape(from, to, spec.links(from, to));
    }
  }
  return links;
}

/** Throws invalid_argument that names the field. */
export function checkShape(from: string, to: string, shape: LinkShape): LinkShape {
  const checked = linkShapeSchema.safeParse(shape);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw invalid(`link ${from} to ${to}: ${issue?.path.join('.')}: ${issue?.message}`);
}

function invalid(message: string): ThalwegError {
  return new ThalwegError('invalid_argument', message, { nextStep: 'correct the lab description' });
}
