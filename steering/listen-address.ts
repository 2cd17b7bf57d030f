/** `host:port` to listen on: parsing, and binding with errors that name the field. */
import type { Server } from 'node:net';
import { isIPv4, isIPv6 } from 'node:net';
import { ThalwegError } from '../protocol/error.ts';

export interface ListenAddress {
  /** The configuration field it came from. */
  readonly field: string;
  /** Literal address. */
  readonly host: string;
  readonly port: number;
}

/** Parses `0.0.0.0:8470` or `[::]:8470`; port 0 lets the system choose. Throws invalid_config. */
export function parseListenAddress(field: string, text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (!(isIPv4(host) || isIPv6(host)) || !(port <= 65_535)) {
    const what = port > 65_535 ? `port ${port} is beyond 65535` : 'is not address:port with a literal address';
    throw new ThalwegError('invalid_config', `${field} ${text}: ${what}`, {
      nextStep: `pass --${field} as for example 127.0.0.1:8471 or [::1]:8471`,
    });
  }
  return { field, host, port };
}

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

/** Binds a server. Throws port_in_use, missing_privilege or invalid_config, each naming field and port. */
export async function listen(server: Server, address: ListenAddress): Promise<void> {
  const { field, host, port } = address;
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      server.off('listening', done);
      reject(listenError(cause, field, host, port));
    };
    const done = () => {
      server.off('error', failed);
      resolve();
    };
    server.once('error', failed);
    server.once('listening', done);
    // The backlog takes the reconnects of one second of a large mesh while TLS handshakes are under way. Beyond it (and beyond
    // net.core.somaxconn, 4096 since Linux 5.4) callers wait for a second or three until their kernel asks again.
    server.listen({ host, port, backlog: 4096 });
  });
}

export function listenError(cause: NodeJS.ErrnoException, field: string, host: string, port: number): ThalwegError {
  const fields = { field, host, port };
  switch (cause.code) {
    case 'EADDRINUSE':
      return new ThalwegError('port_in_use', `${field} port ${port} on ${host} is in use by another program`, {
        cause,
        fields,
        nextStep: `find it with \`ss -ltnp sport = :${port}\`, or choose another port with --${field}`,
      });
    case 'EACCES':
      return new ThalwegError('missing_privilege', `${field} port ${port} may not be bound by this user`, {
        cause,
        fields,
        nextStep: `choose a port above 1023 with --${field}, or run as root`,
      });
    default:
      return new ThalwegError('invalid_config', `${field} ${host}:${port} cannot be bound: ${cause.message}`, {
        cause,
        fields,
        nextStep: `choose an address of this host with --${field}`,
      });
  }
}
