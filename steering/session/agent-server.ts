/**
 * The agent port: HTTPS (TLS 1.3 only) for joining, and WebSockets at `/v1/session` for nodes that have joined. A
 * client certificate is asked for, never demanded by TLS itself: a joining device has none, and a refused one is told why.
 */
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { encodeCoreFrame, MAX_AGENT_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import type { Logger } from '../../protocol/log.ts';
import { WEBSOCKET_SUBPROTOCOL } from '../../protocol/version.ts';
import type { HeldConnection, HeldConnections } from '../cluster/held-connections.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import { type ListenAddress, listen } from '../listen-address.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import { AgentSession, type AgentStream, CLOSE } from './agent-session.ts';
import { plainAddress } from './endpoint-candidates.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import type { JoinEndpoint } from './join-endpoint.ts';
import type { SessionOwner } from './node-session.ts';
import { identifyPeer } from './peer-identity.ts';
import { PendingHandshakes, type PendingSocket } from './pending-handshakes.ts';
import { refusalOf } from './refusal.ts';
import type { SessionHub } from './session-hub.ts';
import { standingBy } from './session-refusal.ts';

/**
 * Connections that are in the middle of TLS. One handshake is about 1 ms of this thread: 256 of them are a quarter of
 * a second, which heartbeats survive.
 */
const MAX_PENDING_HANDSHAKES = 256;
/** They wait until TLS begins: some five seconds of handshakes, half of what an agent waits before it gives up. */
const MAX_WAITING_CONNECTIONS = 1024;
/**
 * Connections behind TLS that have no session: a join or an upgrade takes a few round trips, so 512 are some 500 of them a
 * second from the other side of the world. At about 50 KB each they are 25 MB, whoever they are.
 */
const MAX_WITHOUT_SESSION = 512;
/** Two round trips of 600 ms (a satellite) and a second of a busy core. */
const FAIR_MS = 3000;
/**
 * Nobody loses his place in the middle of TLS to somebody of the same address before: when thousands come at once a handshake
 * takes seconds, and where those that were nearly done made room for new ones, none came to its end.
 */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 5000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Above the limit for frames, so that a somewhat larger one is answered with a refusal; beyond, the socket just closes. */
const WEBSOCKET_MAX_BYTES = 2 * MAX_AGENT_FRAME_BYTES;
/** Another core is tried next; jitter comes on top. */
const STANDING_BY_RETRY_MS = 50;
/** A core that cannot ask the others may be the one that does not know. */
const UNCERTAIN_RETRY_MS = 2000;
/** What closing sessions get to read their close frame. */
const DRAIN_MS = 1000;

export interface AgentServerDeps {
  readonly authority: MeshAuthority;
  readonly registry: NodeRegistry;
  readonly hub: SessionHub;
  /** Who has sessions that begin now; default: the hub. */
  readonly owner?: () => SessionOwner & { opened(session: AgentSession): void };
  readonly join: JoinEndpoint;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
  /** Brings the registry up to date with what other cores have committed. False: they cannot be asked now. */
  readonly refresh?: () => boolean;
  /** Where connections wait until their session may begin. Absent: there is no other core. */
  readonly held?: () => HeldConnections;
}

export interface AgentServerOptions {
  readonly listen: ListenAddress;
  readonly heartbeatMs: number;
  /** How long an expired certificate still opens a session. */
  readonly certificateGraceMs: number;
}

export class AgentServer {
  readonly #deps: AgentServerDeps;
  readonly #options: AgentServerOptions;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #handshakes: HandshakeQueue;
  readonly #withoutSession: PendingHandshakes;
  readonly #sockets = new Set<WebSocket>();

  constructor(deps: AgentServerDeps, options: AgentServerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#withoutSession = new PendingHandshakes(deps.clock, { most: MAX_WITHOUT_SESSION, fairMs: FAIR_MS });
    this.#server = createServer({
      ...this.#secureContext(),
      requestCert: true,
      rejectUnauthorized: false,
      // nothing is read before it is a connection's turn
      pauseOnConnect: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 2000,
      maxHeaderSize: 8192,
    });
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: WEBSOCKET_MAX_BYTES,
      perMessageDeflate: false,
      handleProtocols: () => WEBSOCKET_SUBPROTOCOL,
    });
    // what begins TLS on a connection is the server's own listener
    const begins = this.#server.listeners('connection');
    this.#server.removeAllListeners('connection');
    const start = (socket: PendingSocket) => {
      for (const begin of begins) begin.call(this.#server, socket);
    };
    this.#handshakes = new HandshakeQueue(
      { monoMs: () => deps.clock.monoMs(), start },
      { most: MAX_PENDING_HANDSHAKES, mostWaiting: MAX_WAITING_CONNECTIONS, fairMs: HANDSHAKE_TIMEOUT_MS },
    );
    this.#server.on('connection', (socket: Socket) => this.#connected(socket));
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      this.#secured(socket);
      if (!this.#withoutSession.begin(socket)) deps.metrics.handshakeFailures.inc({ reason: 'overloaded' });
    });
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#secured(socket);
      deps.metrics.handshakeFailures.inc({ reason: error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT' ? 'timeout' : 'tls' });
      socket.destroy();
    });
    this.#server.on('clientError', (_error, socket) => {
      deps.metrics.handshakeFailures.inc({ reason: 'http' });
      socket.destroy();
    });
    this.#server.on('request', (request, response) => void deps.join.handle(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** The port that was bound, which matters when 0 was asked for. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Binds the port. Throws port_in_use, invalid_config, missing_privilege. */
  async start(): Promise<void> {
    await listen(this.#server, this.#options.listen);
    this.#deps.log.info('agent port is open', { host: this.#options.listen.host, port: this.port });
  }

  /** Tells every session to come back later, and closes what has not gone after a second. Idempotent. */
  async stop(): Promise<void> {
    const planned = this.#deps.hub.stop();
    const closed = new Promise<void>((resolve) => {
      if (this.#server.listening) this.#server.close(() => resolve());
      else resolve();
    });
    const deadline = this.#deps.clock.after(DRAIN_MS, () => {
      for (const socket of this.#sockets) socket.terminate();
      this.#server.closeAllConnections();
    });
    this.#server.closeIdleConnections();
    this.#handshakes.clear();
    if (this.#sockets.size === 0) this.#server.closeAllConnections();
    await closed;
    await planned;
    deadline.cancel();
  }

  /** Presents a certificate of the CA of now to new connections; those that are open stay. */
  identityChanged(): void {
    this.#server.setSecureContext(this.#secureContext());
  }

  #secureContext() {
    const { authority, clock } = this.#deps;
    const { key, certificate } = authority.makeServerIdentity(clock.nowMs());
    const ca = authority.anchors.map((anchor) => anchor.certificate.toString());
    return { key, cert: certificate, ca, minVersion: 'TLSv1.3' as const };
  }

  #connected(socket: Socket): void {
    if (!this.#handshakes.connected(socket)) this.#deps.metrics.handshakeFailures.inc({ reason: 'overloaded' });
  }

  #secured(secure: Duplex): void {
    const { remoteAddress, remotePort } = secure as TLSSocket;
    this.#handshakes.over(remoteAddress, remotePort);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const { authority, registry, clock, metrics } = this.#deps;
    if ((request.url ?? '').split('?', 1)[0] !== '/v1/session') {
      answerPlainly(socket, 404, new ThalwegError('not_found', 'sessions are at /v1/session'));
      return;
    }
    const certificate = (socket as TLSSocket).getPeerX509Certificate();
    const { certificateGraceMs } = this.#options;
    const identify = () => identifyPeer(certificate, { authority, registry }, clock.nowMs(), certificateGraceMs);
    const known = identify();
    // another core may have let it join, or renewed its certificate, a moment ago
    const isCertain = known.kind !== 'refused' || this.#deps.refresh === undefined || this.#deps.refresh();
    const identity = known.kind === 'refused' ? identify() : known;
    if (identity.kind === 'stranger') {
      metrics.sessionsClosed.inc({ reason: 'stranger' });
      answerPlainly(socket, 401, identity.error);
      return;
    }
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(WEBSOCKET_SUBPROTOCOL)) {
      const error = new ThalwegError(
        'protocol_version',
        `the session must offer the subprotocol ${WEBSOCKET_SUBPROTOCOL}`,
      );
      answerPlainly(socket, 400, error);
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#withoutSession.end(socket as TLSSocket);
      this.#sockets.add(webSocket);
      webSocket.on('close', () => this.#sockets.delete(webSocket));
      // ws has begun to close by then; a peer that does not answer is cut off.
      webSocket.on('error', () => void this.#deps.clock.after(DRAIN_MS, () => webSocket.terminate()));
      if (identity.kind === 'refused') {
        metrics.sessionsClosed.inc({ reason: identity.error.code });
        const refusal = refusalOf(identity.error, isCertain ? 0 : UNCERTAIN_RETRY_MS);
        webSocket.send(encodeCoreFrame(1n, { case: 'refusal', value: refusal }));
        webSocket.close(CLOSE.policy, identity.error.code);
        return;
      }
      const { node, serial } = identity;
      const begin = () =>
        this.#begin(webSocket, node.id, node.index, serial, plainAddress((socket as Socket).remoteAddress));
      const held = this.#deps.held?.();
      if (held === undefined) begin();
      else this.#wait(held, webSocket, begin);
    });
  }

  /** A core that may not steer reads nothing of what an agent says. */
  #wait(held: HeldConnections, webSocket: WebSocket, begin: () => void): void {
    const connection: HeldConnection = {
      begin: () => {
        begin();
        webSocket.resume();
      },
      sendOn: () => {
        webSocket.resume();
        webSocket.send(encodeCoreFrame(1n, { case: 'refusal', value: refusalOf(standingBy(), STANDING_BY_RETRY_MS) }));
        webSocket.close(CLOSE.tryLater, 'standing by');
      },
    };
    webSocket.pause();
    webSocket.on('close', () => held.drop(connection));
    held.take(connection);
  }

  #begin(webSocket: WebSocket, nodeId: string, index: number, serial: string, remoteAddress: string | null): void {
    const { hub, clock, metrics } = this.#deps;
    const owner = this.#deps.owner?.() ?? hub;
    const { heartbeatMs } = this.#options;
    const session = new AgentSession(
      { stream: new WebSocketStream(webSocket), owner, clock, metrics },
      { nodeId, index, serial, remoteAddress, heartbeatMs },
    );
    owner.opened(session);
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) session.receive(data);
      else session.receiveOther('a text message; frames are binary');
    });
    webSocket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') metrics.droppedFrames.inc({ reason: 'frame_too_large' });
      session.disconnected(error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'frame_too_large' : 'disconnected');
    });
    webSocket.on('close', () => session.disconnected());
  }
}

class WebSocketStream implements AgentStream {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(bytes: Uint8Array): void {
    // A failed write is followed by the socket's close event, which ends the session.
    this.#socket.send(bytes, () => {});
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/** An HTTP answer to an upgrade that is not made: the error object as JSON. */
function answerPlainly(socket: Duplex, status: 400 | 401 | 404, error: ThalwegError): void {
  const reason = { 400: 'Bad Request', 401: 'Unauthorized', 404: 'Not Found' }[status];
  const body = JSON.stringify(error);
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
