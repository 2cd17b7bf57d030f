/** Programs of the system that Thalweg runs, and the Debian packages they come from. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join } from 'node:path';
import { SetupError, say } from './report.mjs';
import { isOnPath, run, succeeds } from './subprocess.mjs';

/** @typedef {{ program: string, debianPackage: string, why: string }} Need */

/** Else apt drops to its own user, who may not write into a folder of root's, and says so at length. */
const IN_ROOTS_FOLDER = ['-o', 'APT::Sandbox::User=root'];

/** @type {readonly Need[]} */
export const NEEDS = [
  {
    program: 'ip',
    debianPackage: 'iproute2',
    why: 'interfaces, routes and next-hop groups; network namespaces of the lab',
  },
  { program: 'nft', debianPackage: 'nftables', why: 'demand counters, MSS clamp, filter of detoured packets' },
  { program: 'wg', debianPackage: 'wireguard-tools', why: 'WireGuard peers and keys' },
  { program: 'socat', debianPackage: 'socat', why: 'links with delay in the lab, where the kernel has no netem' },
  { program: 'ping', debianPackage: 'iputils-ping', why: 'RTT through the overlay, as measured in the lab' },
  { program: 'iperf3', debianPackage: 'iperf3', why: 'throughput, as measured in the lab' },
];

/**
 * What the test of kernel WireGuard and netem runs its guest with, and what checks the model of the rollout; those tests skip,
 * and say so, without.
 * @type {readonly Need[]}
 */
export const GUEST_NEEDS = [
  {
    program: 'qemu-system-x86_64',
    debianPackage: 'qemu-system-x86',
    why: 'a kernel with WireGuard and netem, in the tests',
  },
  { program: 'busybox', debianPackage: 'busybox-static', why: 'the shell tools of that guest' },
  { program: 'cpio', debianPackage: 'cpio', why: 'the file system of that guest' },
  { program: 'depmod', debianPackage: 'kmod', why: 'the kernel modules of that guest' },
  { program: 'spin', debianPackage: 'spin', why: 'the model of the rollout on two planes, in the tests' },
  { program: 'gcc', debianPackage: 'gcc', why: 'the verifier that spin writes, in the tests' },
];

/** @type {Need} */
export const WIREGUARD_GO = {
  program: 'wireguard-go',
  debianPackage: 'wireguard-go',
  why: 'WireGuard in user space, since this kernel has none',
};

/**
 * Which needs are not met. Pure.
 * @param {(program: string) => boolean} isThere @param {boolean} kernelHasWireGuard
 * @returns {Need[]}
 */
export function missingPrograms(isThere, kernelHasWireGuard) {
  const needs = kernelHasWireGuard ? NEEDS : [...NEEDS, WIREGUARD_GO];
  return needs.filter((need) => !isThere(need.program));
}

/**
 * $PATH with the folders of system administration, which Debian leaves out for ordinary users, and the checkout's own
 * tools. Pure.
 * @param {string} root @param {string} path
 */
export function toolPath(root, path) {
  const folders = path.split(delimiter).filter((folder) => folder !== '');
  const more = ['/usr/local/sbin', '/usr/sbin', '/sbin', join(root, '.tools/bin')];
  return [...folders, ...more.filter((folder) => !folders.includes(folder))].join(delimiter);
}

/** @param {Need[]} missing @returns {string} lines for the screen */
export function describeMissing(missing) {
  const width = Math.max(...missing.map((need) => need.program.length));
  return missing.map((need) => `  ${need.program.padEnd(width)}  from ${need.debianPackage}: ${need.why}`).join('\n');
}

/**
 * Installs what is missing through apt, or stops with exit code 5 and the exact command to run.
 * @param {{ guest: boolean }} options
 */
export async function ensureSystemPrograms({ guest }) {
  const missing = missingPrograms((program) => isOnPath(program), kernelHasWireGuard());
  // Who may not install can run every other test all the same.
  if (guest && process.getuid?.() === 0 && isOnPath('apt-get')) {
    missing.push(...GUEST_NEEDS.filter((need) => !isOnPath(need.program)));
  }
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((need) => need.debianPackage))];
  say(`programs that are missing:\n${describeMissing(missing)}`);
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  const root = process.getuid?.() === 0;
  if (!root || !isOnPath('apt-get')) {
    const how = isOnPath('apt-get')
      ? `run this as root:  ${command}`
      : `there is no apt-get here; install what your distribution has in place of: ${packages.join(' ')}`;
    throw new SetupError(5, `${root ? 'set-up cannot install them' : 'set-up needs root to install them'}\n${how}`);
  }
  say(`installing with apt-get: ${packages.join(' ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const update = await run('apt-get', ['update', '-q'], { env });
  const install = await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env });
  const still = missing.filter((need) => !isOnPath(need.program));
  if (install !== 0 || still.length > 0) {
    const names = still.map((need) => need.program).join(', ') || 'nothing';
    throw new SetupError(
      5,
      `apt-get update ended with ${update}, install with ${install}; still missing: ${names}\nrun this by hand and see why:  ${command}`,
    );
  }
}

/**
 * Programs of the tests whose Debian packages would start a server when they are installed: only unpacked, into .tools/ of
 * the checkout. Without one the tests that need it say so.
 */
const UNPACKED = [
  { program: 'promtool', debianPackage: 'prometheus', path: 'usr/bin/promtool', why: 'checks the metrics' },
  { program: 'nats-server', debianPackage: 'nats-server', path: 'usr/sbin/nats-server', why: 'keeps a store in NATS' },
];

/** @param {string} root */
export async function ensureTestPrograms(root) {
  for (const tool of UNPACKED) if (!isOnPath(tool.program)) await unpack(root, tool);
}

/** @param {string} root @param {(typeof UNPACKED)[number]} tool */
async function unpack(root, { program, debianPackage, path, why }) {
  say(`${program} is missing (${why} in the tests): unpacking it from Debian's ${debianPackage} into .tools/`);
  const tools = join(root, '.tools');
  mkdirSync(join(tools, 'bin'), { recursive: true });
  const folder = mkdtempSync(join(tools, 'unpack-'));
  try {
    let code = await run('apt-get', ['download', '-q', ...IN_ROOTS_FOLDER, debianPackage], { cwd: folder });
    if (code !== 0 && process.getuid?.() === 0) {
      await run('apt-get', ['update', '-q']);
      code = await run('apt-get', ['download', '-q', ...IN_ROOTS_FOLDER, debianPackage], { cwd: folder });
    }
    const archive = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (archive !== undefined) await run('dpkg-deb', ['-x', archive, 'content'], { cwd: folder });
    const unpacked = join(folder, 'content', path);
    if (existsSync(unpacked)) renameSync(unpacked, join(tools, 'bin', program));
    else
      say(
        `${program} could not be fetched (apt-get download ended with ${code}): the tests that need it will be skipped`,
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks the kernel in a network namespace of its own; where that cannot be done, looks for the module. */
export function kernelHasWireGuard() {
  if (process.getuid?.() === 0 && isOnPath('ip') && isOnPath('unshare')) {
    return succeeds('unshare', ['--net', 'ip', 'link', 'add', 'wg0', 'type', 'wireguard']);
  }
  const modules = `/lib/modules/${release()}`;
  return (
    existsSync('/sys/module/wireguard') ||
    ['modules.dep', 'modules.builtin'].some((name) => {
      const file = join(modules, name);
      return existsSync(file) && readFileSync(file, 'utf8').includes('/wireguard.ko');
    })
  );
}
