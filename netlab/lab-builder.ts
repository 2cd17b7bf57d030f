/** Builds a lab's hosts and underlay, step by step on record. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { projectRoot } from '../protocol/program-file.ts';
import { chooseDriver, kernelHasNetem } from './driver-choice.ts';
import { configureHost } from './host-network.ts';
import { NET_HOST, namespaceName } from './host-plan.ts';
import { LabRecord } from './lab-record.ts';
import { CORE_HOST, type DriverName, type LabProgress, type LabSpec } from './lab-spec.ts';
import { checkLabSpec } from './lab-spec-check.ts';
import { type LabState, labDir } from './lab-state.ts';
import { needsDelay } from './link-shape.ts';
import { requirePrograms } from './machine-command.ts';
import { ipBatch, WIREGUARD_DIR } from './namespace.ts';
import type { Reaper } from './reaper.ts';
import { SwitchUnderlay } from './switch-underlay.ts';
import type { Underlay, UnderlayHost } from './underlay.ts';
import { WireUnderlay } from './wire-underlay.ts';

const PROGRAMS_OF_ALL = ['ip', 'nsenter', 'unshare', 'sh', 'mount'];
const PROGRAMS_OF: Readonly<Record<DriverName, readonly string[]>> = {
  plain: ['tc', 'nft'],
  netem: ['tc', 'nft'],
  wire: ['socat'],
};

/** Where `cli/main.js` and the lab's programs are. */
export function defaultDistDir(): string {
  return join(projectRoot(), 'dist');
}

/** Throws missing_privilege, missing_program, invalid_argument, already_exists. Makes nothing. */
export function preflight(spec: LabSpec): LabState['links'] {
  if (process.getuid?.() !== 0) {
    throw new ThalwegError('missing_privilege', 'a lab needs root: it makes network namespaces', {
      nextStep: 'run it with sudo',
    });
  }
  requirePrograms(PROGRAMS_OF_ALL);
  return checkLabSpec(spec);
}

export async function buildLab(
  spec: LabSpec,
  links: LabState['links'],
  deps: { reaper: Reaper; distDir: string; onProgress: (progress: LabProgress) => void },
): Promise<{ record: LabRecord; underlay: Underlay }> {
  const { reaper, distDir, onProgress } = deps;
  const record = new LabRecord({
    version: 1,
    name: spec.name,
    status: 'building',
    startedAtMs: systemClock.nowMs(),
    driver: 'plain',
    seed: spec.seed ?? 1,
    distDir,
    // Field by field: a caller's hosts may carry more than the state file has a place for.
    hosts: [...spec.hosts, { name: CORE_HOST, transit: false }].map(({ name, transit }) => ({
      name,
      transit,
      powered: true,
    })),
    links,
    processes: [{ role: 'reaper', host: NET_HOST, ...reaper.record }],
    core: spec.core as LabState['core'],
    agent: spec.agent as LabState['agent'],
  });
  record.change({}); // on disk before the first namespace is
  const hosts = underlayHosts(record);
  onProgress({ stage: 'hosts', done: 0, total: hosts.length });
  mkdirSync(WIREGUARD_DIR, { recursive: true, mode: 0o755 });
  for (const { name } of hosts) mkdirSync(join(labDir(spec.name), name, 'wireguard'), { recursive: true, mode: 0o700 });
  const netNamespace = namespaceName(spec.name, NET_HOST);
  await ipBatch(
    undefined,
    [netNamespace, ...hosts.map((h) => h.namespace)].map((namespace) => `netns add ${namespace}`),
  );
  const delays = spec.delaysLater === true || Object.values(links).some(needsDelay);
  const netem = spec.driver !== 'wire' && spec.driver !== 'plain' && (await kernelHasNetem(netNamespace));
  record.change({ driver: chooseDriver(spec.driver, delays, netem) });
  requirePrograms(PROGRAMS_OF[record.state.driver]);
  onProgress({ stage: 'hosts', done: hosts.length, total: hosts.length });

  const underlay = openUnderlay(record, []);
  await underlay.build(hosts, (process) => record.addProcess(process));
  const all = record.numberedLinks();
  await underlay.setLinks(all, all);
  let done = 0;
  await Promise.all(
    hosts.map(async (host) => {
      await configureHost(host, hosts.length);
      await underlay.setPort(host.number, true);
      onProgress({ stage: 'underlay', done: ++done, total: hosts.length });
    }),
  );
  record.change({ status: 'up' });
  return { record, underlay };
}

export function underlayHosts(record: LabRecord): UnderlayHost[] {
  const { name: lab, hosts } = record.state;
  return hosts.map(({ name }, i) => ({ number: i + 1, name, namespace: namespaceName(lab, name) }));
}

/** `linksInForce`: of a lab that is built already; empty for one that is not. */
export function openUnderlay(record: LabRecord, linksInForce: ReturnType<LabRecord['numberedLinks']>): Underlay {
  const { name, driver, seed, distDir, hosts } = record.state;
  const netNamespace = namespaceName(name, NET_HOST);
  if (driver !== 'wire') {
    return new SwitchUnderlay({ netNamespace, netem: driver === 'netem', hostCount: hosts.length, linksInForce });
  }
  const programPath = join(distDir, 'netlab', 'wire-program.js');
  return new WireUnderlay({ netNamespace, labDir: labDir(name), programPath, seed });
}
