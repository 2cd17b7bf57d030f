/** What set-up decides, as values. */
import { expect, test } from 'vitest';
import { buildIsDue } from '../../../cli/setup/build.mjs';
import { nodeFault, platformFault } from '../../../cli/setup/machine.mjs';
import { npmDifference } from '../../../cli/setup/npm-packages.mjs';
import { describeMissing, missingPrograms, NEEDS, toolPath } from '../../../cli/setup/system-programs.mjs';

test.each([
  ['20.19.0', true],
  ['20.20.2', true],
  ['22.0.0', true],
  ['24.3.1', true],
  ['20.18.3', false],
  ['18.20.0', false],
  ['9.11.2', false],
])('Node %s: %s', (version, fine) => {
  const fault = nodeFault(version);
  if (fine) expect(fault).toBeUndefined();
  else expect(fault).toContain(`this is Node ${version}; Thalweg needs 20.19 or newer`);
});

test('the platform', () => {
  expect(platformFault('linux')).toBeUndefined();
  expect(platformFault('darwin')).toContain('this is darwin');
});

const lock = {
  packages: {
    '': { version: '0.1.0' },
    'node_modules/ws': { version: '8.0.0', integrity: 'sha512-a' },
    'node_modules/x/node_modules/ws': { version: '7.0.0', integrity: 'sha512-b' },
    'node_modules/@a/b-darwin': { version: '1.0.0', optional: true },
  },
};
const installed = (change: Record<string, { version: string; integrity?: string } | undefined>) => {
  const { '': _, 'node_modules/@a/b-darwin': __, ...packages } = lock.packages;
  return { packages: Object.fromEntries(Object.entries({ ...packages, ...change }).filter(([, entry]) => entry)) };
};

test('npm packages: install only on a difference, and say which', () => {
  expect(npmDifference(lock, undefined)).toBe('no npm packages are installed yet');
  expect(npmDifference(lock, {})).toBe('no npm packages are installed yet');
  expect(npmDifference(lock, installed({}) as never)).toBeUndefined();
  expect(npmDifference(lock, installed({ 'node_modules/ws': undefined }) as never)).toBe(
    'the lock file asks for ws, which is not installed',
  );
  const older = installed({ 'node_modules/ws': { version: '7.9.0', integrity: 'sha512-a' } });
  expect(npmDifference(lock, older as never)).toBe('the lock file asks for ws 8.0.0, 7.9.0 is installed');
  const other = installed({ 'node_modules/ws': { version: '8.0.0', integrity: 'sha512-z' } });
  expect(npmDifference(lock, other as never)).toBeDefined();
  const extra = installed({ 'node_modules/old': { version: '1.0.0' } });
  expect(npmDifference(lock, extra as never)).toBe('node_modules/old is installed and not in the lock file');
});

test('system programs: wireguard-go only where the kernel has no WireGuard', () => {
  expect(missingPrograms(() => true, false)).toEqual([]);
  const names = (kernel: boolean) => missingPrograms(() => false, kernel).map((need) => need.debianPackage);
  expect(names(true)).toEqual(['iproute2', 'nftables', 'wireguard-tools', 'socat', 'iputils-ping', 'iperf3']);
  expect(names(false)).toEqual([...names(true), 'wireguard-go']);
  expect(missingPrograms((program) => program !== 'wg', true).map((need) => need.program)).toEqual(['wg']);
  expect(describeMissing(NEEDS.slice(0, 2))).toBe(
    '  ip   from iproute2: interfaces, routes and next-hop groups; network namespaces of the lab\n' +
      '  nft  from nftables: demand counters, MSS clamp, filter of detoured packets',
  );
});

test('the path has the folders of system administration and the own tools, each once', () => {
  expect(toolPath('/x', '/usr/bin:/sbin')).toBe('/usr/bin:/sbin:/usr/local/sbin:/usr/sbin:/x/.tools/bin');
});

test('a build is due when sources changed, or were never checked and have to be', () => {
  expect(buildIsDue(undefined, 'a', true)).toBe(true);
  expect(buildIsDue('a checked\n', 'a', true)).toBe(false);
  expect(buildIsDue('a checked\n', 'a', false)).toBe(false);
  expect(buildIsDue('a checked\n', 'b', false)).toBe(true);
  expect(buildIsDue('a unchecked\n', 'a', false)).toBe(false);
  expect(buildIsDue('a unchecked\n', 'a', true)).toBe(true);
});
