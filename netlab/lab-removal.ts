/** Finds and removes labs from any state: whole, half built, crashed, or with a damaged state file. */
import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import { ThalwegError } from '../protocol/error.ts';
import { isLabName, NAMESPACE_PREFIX, NET_HOST, namespaceName } from './host-plan.ts';
import type { LabSummary, RemovalReport } from './lab-spec.ts';
import { type LabState, labDir, RUNTIME_ROOT, readLabState } from './lab-state.ts';
import { runMachine } from './machine-command.ts';
import { listNamespaces, namespacePath, WIREGUARD_DIR } from './namespace.ts';
import { pause } from './pause.ts';
import { emptyNamespace, isAlive, killProcesses } from './process-record.ts';

/** A builder that was killed may leave one `ip` behind that still runs: look again after this long. */
const SETTLE_MS = 200;
const MAX_PASSES = 25;

export function labApiTarget(name: string): string {
  return `unix:${labDir(name)}/core/core.sock`;
}

export async function listLabs(): Promise<readonly LabSummary[]> {
  const names = new Set(labDirNames());
  const suffix = `-${NET_HOST}`;
  for (const namespace of listNamespaces()) {
    if (!namespace.startsWith(NAMESPACE_PREFIX) || !namespace.endsWith(suffix)) continue;
    const name = namespace.slice(NAMESPACE_PREFIX.length, -suffix.length);
    if (isLabName(name)) names.add(name);
  }
  return [...names].sort().map(summaryOf);
}

/**
 * Removes what belongs to a lab: recorded processes, everything that runs in its namespaces, the namespaces (and with
 * them interfaces, TAPs, routes and rules), its files. Private mounts end with the processes that hold them.
 * Throws invalid_argument, missing_privilege, command_failed; may be called again.
 */
export async function removeLab(name: string): Promise<RemovalReport> {
  if (!isLabName(name)) throw new ThalwegError('invalid_argument', `${name.slice(0, 60)} is not a lab name`);
  requireRoot(`removing lab ${name}`);
  const removed: string[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const found = await removeOnce(name);
    removed.push(...found);
    // A whole lab with nothing of it left needs no second look; remains of a crash do.
    if (found.length === 0) break;
    await pause(SETTLE_MS);
  }
  removeIfEmpty(RUNTIME_ROOT);
  if (labDirNames().length === 0) removeIfEmpty(WIREGUARD_DIR);
  return { removed };
}

/** Throws missing_privilege. */
export function requireRoot(what: string): void {
  if (process.getuid?.() === 0) return;
  throw new ThalwegError('missing_privilege', `${what} needs root`, { nextStep: 'run it with sudo' });
}

async function removeOnce(name: string): Promise<string[]> {
  const removed: string[] = [];
  const state = readLabState(name);
  if (state.ok) {
    // The reaper first: it would remove the lab beside us. Never ourselves: the reaper removes labs with this too.
    const alive = state.value.processes.filter((p) => p.pid !== process.pid && isAlive(p));
    await killProcesses(alive.filter((p) => p.role === 'reaper'));
    await killProcesses(alive);
    for (const { role, host, pid } of alive) removed.push(`process ${role} of ${host} (pid ${pid})`);
  }
  for (const namespace of namespacesOf(name, state.ok ? state.value : undefined)) {
    const killed = await emptyNamespace(namespacePath(namespace));
    if (killed > 0) removed.push(`${killed} more processes in ${namespace}`);
    await runMachine(['ip', 'netns', 'del', namespace]);
    removed.push(`namespace ${namespace}`);
  }
  if (labDirNames().includes(name)) {
    rmSync(labDir(name), { recursive: true, force: true });
    removed.push(`directory ${labDir(name)}`);
  }
  return removed;
}

/**
 * Namespaces that exist and are this lab's. By its state where that is readable; else by prefix, less what another
 * lab's state claims: `tw-a-b-c` may be host `b-c` of lab `a` or host `c` of lab `a-b`.
 */
function namespacesOf(name: string, state: LabState | undefined): string[] {
  const mine = new Set(state === undefined ? [] : namespacesOfState(state));
  const others = new Set<string>();
  const longerPrefixes: string[] = [];
  for (const other of labDirNames()) {
    if (other === name) continue;
    const parsed = readLabState(other);
    if (parsed.ok) for (const namespace of namespacesOfState(parsed.value)) others.add(namespace);
    else if (other.startsWith(`${name}-`)) longerPrefixes.push(namespaceName(other, ''));
  }
  return listNamespaces().filter((namespace) => {
    if (mine.has(namespace)) return true;
    if (!namespace.startsWith(namespaceName(name, '')) || others.has(namespace)) return false;
    return !longerPrefixes.some((prefix) => namespace.startsWith(prefix));
  });
}

export function namespacesOfState(state: LabState): string[] {
  const names = [...state.hosts.map((host) => host.name), NET_HOST];
  // A host being power-cycled has a second namespace for a moment.
  return names.flatMap((host) => [namespaceName(state.name, host), rebootNamespace(state.name, host)]);
}

/** Holds a host's eth0 while its namespace is made anew. The dot keeps it out of host names. */
export function rebootNamespace(lab: string, host: string): string {
  return `${namespaceName(lab, host)}.reboot`;
}

function labDirNames(): string[] {
  try {
    return readdirSync(RUNTIME_ROOT).filter(isLabName);
  } catch {
    return [];
  }
}

function summaryOf(name: string): LabSummary {
  const state = readLabState(name);
  const apiTarget = labApiTarget(name);
  if (!state.ok) {
    return { name, driver: null, startedAtMs: null, hosts: [], runningProcesses: 0, apiTarget, state: 'remains' };
  }
  const { driver, startedAtMs, hosts, processes, status } = state.value;
  const runningProcesses = processes.filter(isAlive).length;
  return { name, driver, startedAtMs, hosts: hosts.map((h) => h.name), runningProcesses, apiTarget, state: status };
}

function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // In use, or not there.
  }
}
