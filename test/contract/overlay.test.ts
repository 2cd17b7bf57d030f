/** The Overlay contract on the fake kernel and on a real one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { KernelOverlay } from '../../overlay/kernel-overlay.ts';
import { CommandSysctls } from '../../overlay/sysctl/sysctl-store.ts';
import { systemClock } from '../../protocol/clock.ts';
import { silentLogger } from '../../protocol/log.ts';
import { FakeKernel } from '../fake/kernel.ts';
import { isRoot, OverlayLab } from '../lab/overlay-hosts.ts';
import { overlayContract } from './overlay-suite.ts';

describe('KernelOverlay on the fake kernel', () => {
  overlayContract(async () => {
    const kernel = new FakeKernel();
    const stateDir = mkdtempSync(join(tmpdir(), 'ovl-contract-'));
    const privateKeyFile = join(stateDir, 'wireguard.key');
    writeFileSync(privateKeyFile, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
    const overlay = new KernelOverlay(
      { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log: silentLogger },
      { stateDir, privateKeyFile },
    );
    return {
      overlay,
      run: async (...argv) => {
        const result = await kernel.run(argv);
        if (result.exitCode !== 0) throw new Error(result.stderr);
        return result.stdout;
      },
      close: async () => rmSync(stateDir, { recursive: true, force: true }),
    };
  });
});

describe.skipIf(!isRoot)('KernelOverlay on the real kernel', () => {
  overlayContract(async () => {
    const lab = await OverlayLab.open(['a']);
    const host = lab.host('a');
    return {
      overlay: host.overlay,
      run: async (...argv) =>
        execFileSync(host.prefix[0] ?? '', [...host.prefix.slice(1), ...argv], { encoding: 'utf8' }),
      close: async () => lab.close(),
    };
  });
});
