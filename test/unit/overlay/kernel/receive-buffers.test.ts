import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KernelOverlay } from '../../../../overlay/kernel-overlay.ts';
import { CommandSysctls } from '../../../../overlay/sysctl/sysctl-store.ts';
import { RECEIVE_BUFFER_BYTES, widenReceiveBuffers } from '../../../../overlay/wireguard/receive-buffers.ts';
import { systemClock } from '../../../../protocol/clock.ts';
import { type Logger, silentLogger } from '../../../../protocol/log.ts';
import { desiredOverlay } from '../../../contract/overlay-suite.ts';
import { FakeKernel } from '../../../fake/kernel.ts';

const dir = mkdtempSync(join(tmpdir(), 'ovl-buffers-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function overlayOn(kernel: FakeKernel, warnings: string[] = []): KernelOverlay {
  const privateKeyFile = join(dir, 'wireguard.key');
  writeFileSync(privateKeyFile, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  const log: Logger = { ...silentLogger, warn: (message) => warnings.push(message) };
  return new KernelOverlay(
    { runner: kernel, sysctls: new CommandSysctls(kernel), clock: systemClock, log },
    { stateDir: dir, privateKeyFile },
  );
}

describe("wireguard-go's receive buffers", () => {
  it('are widened when its sockets are opened, and whenever they are opened anew', async () => {
    const kernel = new FakeKernel();
    const overlay = overlayOn(kernel);
    const widened = async () => {
      const before = kernel.programs.filter((program) => program === 'perl').length;
      await overlay.apply(desiredOverlay());
      return kernel.programs.filter((program) => program === 'perl').length - before;
    };
    expect(await widened()).toBe(1);
    expect(kernel.receiveBufferBytes).toBe(2 * RECEIVE_BUFFER_BYTES);
    expect(await widened()).toBe(0);
    await kernel.run(['ip', 'link', 'set', 'tw0', 'down']);
    expect(await widened()).toBe(1);
    expect(kernel.receiveBufferBytes).toBe(2 * RECEIVE_BUFFER_BYTES);
    await kernel.run(['wg', 'set', 'tw0', 'listen-port', '51999']);
    expect(await widened()).toBe(1);
    expect(kernel.receiveBufferBytes).toBe(2 * RECEIVE_BUFFER_BYTES);
  });

  it('are the kernel’s own business where WireGuard is', async () => {
    const kernel = new FakeKernel();
    kernel.unknownTypes.clear();
    await overlayOn(kernel).apply(desiredOverlay());
    expect(kernel.programs).not.toContain('perl');
  });

  it('stay small, which is said, where there is no Perl', async () => {
    const kernel = new FakeKernel();
    kernel.missing.add('perl');
    const warnings: string[] = [];
    const overlay = overlayOn(kernel, warnings);
    for (let i = 0; i < 3; i++) await overlay.apply(desiredOverlay());
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('receive buffers stay small');
  });

  it('say why they cannot be widened', async () => {
    const run = async () => ({ exitCode: 1, stdout: '', stderr: 'pidfd_getfd: Operation not permitted\n' });
    const runner = { run, stream: () => ({ stop: async () => {} }) };
    expect(await widenReceiveBuffers(runner)).toEqual({ reason: 'pidfd_getfd: Operation not permitted' });
  });
});
