/** A host's kernel answers the question for a sign of life where no program does, and nobody answers for a host that is not there. */
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { kernelEcho } from '../../overlay/stamp/kernel-echo.ts';

const OWN = '127.0.88.1';
const PEER = '127.0.88.2';
const PORT = 28_621;

/** Whether an answer came within `ms`. */
function answered(ask: ReturnType<typeof kernelEcho>, address: string, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    ask(address, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

describe('kernelEcho', () => {
  it('hears a kernel that refuses', async () => {
    expect(await answered(kernelEcho(OWN, PORT), PEER, 5000)).toBe(true);
  });

  it('hears one on which something listens', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(PORT, PEER, resolve));
    try {
      expect(await answered(kernelEcho(OWN, PORT), PEER, 5000)).toBe(true);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('hears nothing where its own address does not exist, and does not throw', async () => {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    expect(await answered(kernelEcho('192.0.2.77', PORT), PEER, 500)).toBe(false);
  });
});
