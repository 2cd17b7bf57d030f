/**
 * A sign of life from a host's kernel: a TCP SYN to the STAMP port, which nobody listens on, is refused by the kernel at
 * once (RFC 9293, section 3.5.2). The answer takes the way that probes take and needs no program, so it tells a peer
 * whose prober is stuck, or being started again, from a dead path. A host that drops such packets just never answers.
 */
import { createConnection } from 'node:net';

/** By then the question is moot. */
const GIVE_UP_MS = 1000;

/** Asks from `ownAddress`; returns what probe-loop.ts calls `askKernel`. */
export function kernelEcho(ownAddress: string, port: number): (address: string, onAnswer: () => void) => void {
  return (address, onAnswer) => {
    const socket = createConnection({ host: address, port, localAddress: ownAddress, family: 4, timeout: GIVE_UP_MS });
    socket.unref();
    socket.on('timeout', () => socket.destroy());
    socket.on('connect', () => {
      onAnswer();
      socket.destroy();
    });
    socket.on('error', (error) => {
      if ('code' in error && error.code === 'ECONNREFUSED') onAnswer();
      socket.destroy();
    });
  };
}
