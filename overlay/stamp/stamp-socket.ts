/** UDP sockets as the probe loop needs them: numeric addresses, no resolver, no wait between stamp and system call. */
import { createSocket, type Socket } from 'node:dgram';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { OpenStampSocket, StampSocket } from './probe-loop.ts';

/** A tunnel address may be on its way into the kernel while we start; adding it takes well under a second. */
const ADDRESS_WAIT_MS = 5000;
const ADDRESS_RETRY_MS = 100;
/** Room for a second of 1,000 peers' probes; the kernel silently gives less where rmem_max is lower. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** node:dgram asks a resolver even for a literal address, and sends a tick later; this answers at once. */
function literalLookup(
  hostname: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, hostname, 4);
}

/**
 * Opens IPv4 sockets. Throws port_in_use (naming address and port), missing_privilege, or unreachable when the address
 * is not this host's after 5 s.
 */
export function stampSocketOpener(clock: Clock): OpenStampSocket {
  return async (what, address, port, aborted) => {
    const giveUpAtMs = clock.monoMs() + ADDRESS_WAIT_MS;
    for (;;) {
      try {
        return new DgramStampSocket(await bind(address, port));
      } catch (cause) {
        const retry = errnoOf(cause) === 'EADDRNOTAVAIL' && clock.monoMs() < giveUpAtMs && !aborted();
        if (!retry) throw bindError(cause, what, address, port);
      }
      await new Promise<void>((resolve) => clock.after(ADDRESS_RETRY_MS, resolve));
    }
  };
}

class DgramStampSocket implements StampSocket {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  onMessage(listener: (packet: Buffer, address: string, port: number) => void): void {
    this.#socket.on('message', (packet, { address, port }) => listener(packet, address, port));
  }

  onError(listener: () => void): void {
    this.#socket.on('error', listener);
  }

  send(packet: Buffer, address: string, port: number, done: (error: Error | null) => void): void {
    this.#socket.send(packet, 0, packet.length, port, address, done);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function bind(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', lookup: literalLookup, recvBufferSize: RECEIVE_BUFFER_BYTES });
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function bindError(cause: unknown, what: string, address: string, port: number): ThalwegError {
  const fields = { address, port };
  switch (errnoOf(cause)) {
    case 'EADDRINUSE':
      return new ThalwegError('port_in_use', `${what}: UDP port ${port} on ${address} is in use`, {
        fields,
        nextStep: `stop the program that holds it (ss -ulpn 'sport = :${port}') or choose another port with --stamp-port`,
        cause,
      });
    case 'EACCES':
      return new ThalwegError('missing_privilege', `${what}: may not bind UDP port ${port} on ${address}`, {
        fields,
        nextStep: 'run as root, or choose a port above 1023 with --stamp-port',
        cause,
      });
    case 'EADDRNOTAVAIL':
      return new ThalwegError('unreachable', `${what}: ${address} is not an address of this host`, {
        fields,
        nextStep: 'check that the WireGuard interface is up and carries the tunnel address',
        cause,
      });
    default:
      return new ThalwegError('internal', `${what}: cannot bind UDP ${address}:${port}: ${String(cause)}`, {
        fields,
        cause,
      });
  }
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
