/**
 * A virtual machine with Debian's cloud kernel, which has WireGuard and netem, for machines whose own kernel has not:
 *
 *   this machine ── qemu-system-x86_64 -accel tcg (no KVM needed; boots in about 6 s)
 *                       └─ initramfs: programs of this machine with their libraries, the kernel's modules,
 *                          directories of this checkout, and a script as init whose output is the serial console
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Applets of busybox that the init script and the programs need. */
const APPLETS = [
  'sh',
  'mount',
  'umount',
  'mkdir',
  'cat',
  'sleep',
  'poweroff',
  'ls',
  'dmesg',
  'rm',
  'tail',
  'true',
  'env',
];
const NEEDED = ['qemu-system-x86_64', 'cpio', 'depmod', 'busybox', 'dash', 'apt-get', 'dpkg'];

export interface GuestSpec {
  /** Programs of this machine, by name; their shared libraries come along. */
  readonly programs: readonly string[];
  /** Directories or files to copy, from a path here to a path there. */
  readonly files: Readonly<Record<string, string>>;
  /** Kernel modules to load before the script runs. */
  readonly modules: readonly string[];
  /** Lines of shell. What they print is returned. */
  readonly script: readonly string[];
  readonly memoryMegabytes: number;
  readonly timeoutMs: number;
}

/** Programs that a guest needs and this machine lacks; empty: a guest can be run. */
export async function missingForGuest(): Promise<string[]> {
  const found = await Promise.all(NEEDED.map((name) => which(name)));
  return NEEDED.filter((_, i) => found[i] === undefined);
}

/** Boots, runs the script, powers off. Resolves with what the script printed; leaves nothing behind. */
export async function runGuest(spec: GuestSpec): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'thalweg-guest-'));
  try {
    const kernel = await unpackKernel(directory);
    const root = join(directory, 'root');
    for (const folder of ['dev', 'proc', 'sys', 'run/netns', 'tmp', 'etc', 'root', 'var']) {
      await mkdir(join(root, folder), { recursive: true });
    }
    // As on Debian: one tree below /usr. The kernel loads modules by /sbin/modprobe.
    for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
      await mkdir(join(root, 'usr', folder), { recursive: true });
      await symlink(`usr/${folder}`, join(root, folder));
    }
    await symlink('/run', join(root, 'var/run'));
    await copyProgram('busybox', root);
    const busybox = await which('busybox');
    for (const applet of APPLETS) await symlink(busybox ?? '/bin/busybox', join(root, 'bin', applet));
    for (const program of ['dash', 'modprobe', ...spec.programs]) await copyProgram(program, root);
    await cp(join(kernel.tree, 'lib/modules'), join(root, 'lib/modules'), { recursive: true });
    await run('depmod', ['-b', root, kernel.version]);
    for (const [from, to] of Object.entries(spec.files)) await cp(from, join(root, to), { recursive: true });
    await writeFile(join(root, 'init'), initScript(spec), { mode: 0o755 });
    const image = join(directory, 'initramfs');
    await run('sh', ['-c', `cd "$1" && find . | cpio -o -H newc --quiet > "$2"`, 'sh', root, image]);
    return await boot(join(kernel.tree, 'boot', `vmlinuz-${kernel.version}`), image, spec);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function initScript({ modules, script }: GuestSpec): string {
  return [
    '#!/usr/bin/dash',
    'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root',
    'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev',
    'mount -t tmpfs tmp /tmp; mount -t tmpfs run /run; mkdir -p /run/netns /dev/net',
    `for module in ${modules.join(' ')}; do modprobe "$module" || echo "no module $module"; done`,
    'ip link set lo up',
    'echo guest-begin',
    ...script,
    'echo guest-end',
    'poweroff -f',
    '',
  ].join('\n');
}

async function boot(kernel: string, image: string, { memoryMegabytes, timeoutMs }: GuestSpec): Promise<string> {
  const machine = ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', String(memoryMegabytes)];
  const quiet = ['-nographic', '-no-reboot', '-nic', 'none'];
  const linux = ['-kernel', kernel, '-initrd', image, '-append', 'console=ttyS0 quiet panic=1'];
  const { stdout } = await run('qemu-system-x86_64', [...machine, ...quiet, ...linux], {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 16 * 1024 * 1024,
  });
  const text = stdout.replaceAll('\r', '');
  const begin = text.indexOf('guest-begin\n');
  const end = text.indexOf('guest-end', begin);
  if (begin < 0 || end < 0) throw new Error(`the guest did not finish its script:\n${text.slice(-3000)}`);
  return text.slice(begin + 'guest-begin\n'.length, end);
}

/** Debian's cloud kernel: fetched and unpacked, not installed. */
async function unpackKernel(directory: string): Promise<{ tree: string; version: string }> {
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (name === undefined) throw new Error('apt knows no linux-image-cloud-amd64; run apt-get update');
  await run('apt-get', ['download', name], { cwd: directory });
  const file = (await readdir(directory)).find((entry) => entry.endsWith('.deb'));
  if (file === undefined) throw new Error(`apt-get download ${name} left no package`);
  const tree = join(directory, 'kernel');
  await run('dpkg', ['-x', join(directory, file), tree]);
  const [version] = await readdir(join(tree, 'lib/modules'));
  if (version === undefined) throw new Error(`${name} holds no modules`);
  return { tree, version };
}

/** Copies a program and the libraries that it is linked to, to the same paths below `root`. */
async function copyProgram(name: string, root: string): Promise<void> {
  const path = await which(name);
  if (path === undefined) throw new Error(`this machine has no ${name}`);
  const libraries = await run('ldd', [path]).then(
    ({ stdout }) => [...stdout.matchAll(/(\/\S+)/g)].map((match) => match[1] ?? ''),
    () => [], // a static program or a script
  );
  for (const file of [path, ...libraries]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await cp(file, join(root, file), { dereference: true, force: true });
  }
}

async function which(name: string): Promise<string | undefined> {
  return await run('sh', ['-c', 'command -v "$1"', 'sh', name]).then(
    ({ stdout }) => (stdout.startsWith('/') ? stdout.trim() : undefined), // not a builtin of the shell
    () => undefined,
  );
}

/** Directories of the packages that the programs need when they run: those of the lock file that are not for development. */
export async function runtimePackages(checkout: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path.lastIndexOf('node_modules/') === 0 && entry.dev !== true && entry.optional !== true)
    .map(([path]) => path);
}
