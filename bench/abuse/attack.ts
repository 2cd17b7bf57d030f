/** What somebody who can reach a core's ports does to it, from addresses of his own on loopback (127.0.0.2 and up). */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

export interface AttackTarget {
  readonly agentPort: number;
  readonly apiPort: number;
  /** Connections that are held at a time. */
  readonly connections: number;
  /** Addresses that they come from. */
  readonly addresses: number;
}

/** What an attack counted. */
export interface AttackTally {
  opened: number;
  closedByCore: number;
  /** Most that were open at one moment, as the attacker sees it. */
  mostOpen: number;
  sentBytes: number;
}

/** One connection, opened and put to its use; opened again by the attack when it is closed. */
type Opening = (target: AttackTarget, localAddress: string, tally: AttackTally) => Socket;

const plain = (port: number, localAddress: string): Socket => connect({ port, host: '127.0.0.1', localAddress });

function tls(target: AttackTarget, localAddress: string, change: ConnectionOptions = {}): Socket {
  const { agentPort: port } = target;
  // localAddress is of the socket below, which tls.connect hands it to
  const options = { port, host: '127.0.0.1', localAddress, rejectUnauthorized: false, ...change };
  return connectTls(options as ConnectionOptions);
}

function send(socket: Socket, bytes: Uint8Array | string, tally: AttackTally): void {
  if (socket.destroyed) return;
  tally.sentBytes += bytes.length;
  socket.write(bytes);
}

/** A byte sequence again and again, at the pace the core takes it. */
function pour(socket: Socket, bytes: Uint8Array, tally: AttackTally): void {
  const more = () => {
    while (!socket.destroyed) {
      tally.sentBytes += bytes.length;
      if (!socket.write(bytes)) break;
    }
  };
  socket.on('drain', more);
  more();
}

/** The first bytes of a ClientHello of 512 bytes (RFC 8446 section 4), whose rest never comes. */
const HALF_HELLO = Buffer.from('16030102000100', 'hex');

export const ATTACKS: Readonly<Record<string, Opening>> = {
  silent: (target, from) => plain(target.agentPort, from),
  'half-hello': (target, from, tally) => {
    const socket = plain(target.agentPort, from);
    socket.once('connect', () => send(socket, HALF_HELLO, tally));
    return socket;
  },
  'slow-headers': (target, from, tally) => {
    const socket = tls(target, from);
    socket.once('secureConnect', () => send(socket, 'POST /v1/join HTTP/1.1\r\nhost: x\r\n', tally));
    const drops = setInterval(() => send(socket, 'x-a: b\r\n', tally), 1000);
    socket.once('close', () => clearInterval(drops));
    return socket;
  },
  'slow-body': (target, from, tally) => {
    const socket = tls(target, from);
    const head = 'POST /v1/join HTTP/1.1\r\nhost: x\r\ncontent-length: 16000\r\n\r\n';
    socket.once('secureConnect', () => send(socket, head, tally));
    const drops = setInterval(() => send(socket, '\0', tally), 1000);
    socket.once('close', () => clearInterval(drops));
    return socket;
  },
  'endless-body': (target, from, tally) => {
    const socket = tls(target, from);
    socket.once('secureConnect', () => {
      send(socket, 'POST /v1/join HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n', tally);
      pour(socket, new Uint8Array(64 * 1024), tally);
    });
    return socket;
  },
  'old-tls': (target, from) => tls(target, from, { maxVersion: 'TLSv1.2' }),
  garbage: (target, from, tally) => {
    const port = Math.random() < 0.5 ? target.agentPort : target.apiPort;
    const socket = plain(port, from);
    socket.once('connect', () => {
      send(socket, randomBytes(1 + Math.floor(Math.random() * 16_384)), tally);
      socket.end();
    });
    return socket;
  },
  'garbage-in-tls': (target, from, tally) => {
    const socket = tls(target, from);
    socket.once('secureConnect', () => pour(socket, randomBytes(16_384), tally));
    return socket;
  },
  'silent-api': (target, from) => plain(target.apiPort, from),
};
