/**
 * The core's agent port on loopback with real TLS, saying what a test tells it to: right, wrong, late or garbage. The
 * certificates are made with the core's own code; what is served on them is not.
 */
import { createHash, type createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type WebSocket, WebSocketServer } from 'ws';
import { type CoreBody, decodeAgentFrame, encodeCoreFrame } from '../../protocol/frame-codec.ts';
import {
  CaResponseSchema,
  type JoinRequest,
  JoinRequestSchema,
  JoinResponseSchema,
} from '../../protocol/gen/thalweg/v1/join_pb.ts';
import type { AgentFrame } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { formatJoinToken } from '../../protocol/join-token.ts';
import { makeCertificate } from '../../steering/identity/node-certificate.ts';
import { parseSigningRequest } from '../../steering/identity/signing-request.ts';

export const PLAN = { tunnel: '100.112.0.0/12', node4: '100.96.0.0/12', node6: 'fd74:6861:6c77::/64' };
export const NODE_ID = 'n-aaaaaaaaaaaaaaaaaaaa';
const DAY_MS = 86_400_000;

export interface TestAuthority {
  readonly caDer: Uint8Array;
  readonly fingerprint: string;
  issue(
    purpose: 'server' | 'node',
    publicKey: ReturnType<typeof createPublicKey>,
    lifeMs?: [number, number],
  ): Uint8Array;
}

export function makeAuthority(): TestAuthority {
  const ca = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const make = (
    purpose: 'authority' | 'server' | 'node',
    publicKey: ReturnType<typeof createPublicKey>,
    [from, to]: [number, number] = [Date.now() - DAY_MS, Date.now() + DAY_MS],
  ): Uint8Array =>
    makeCertificate(
      {
        purpose,
        subject: purpose === 'node' ? NODE_ID : purpose === 'server' ? 'thalweg-core' : 'Test CA',
        issuer: 'Test CA',
        serial: new Uint8Array([1, ...randomBytes(8)]),
        notBeforeMs: from,
        notAfterMs: to,
        publicKey,
        issuerPublicKey: ca.publicKey,
        ...(purpose === 'server' ? { dnsNames: ['thalweg-core'] } : {}),
      },
      ca.privateKey,
    );
  const caDer = make('authority', ca.publicKey);
  return {
    caDer,
    fingerprint: createHash('sha256').update(caDer).digest('hex'),
    issue: (purpose, publicKey, life) => make(purpose, publicKey, life),
  };
}

export interface CoreConnectionUnderTest {
  readonly frames: AgentFrame[];
  send(body: CoreBody): void;
  sendRaw(bytes: Uint8Array): void;
  /** Skips a sequence number before the next frame. */
  skipSeq(): void;
  readonly socket: WebSocket;
}

export class ScriptedCore {
  readonly authority: TestAuthority;
  readonly joins: JoinRequest[] = [];
  readonly connections: CoreConnectionUnderTest[] = [];
  /** Added to the clock it tells. */
  skewMs = 0;
  /** Set: joins are refused so. */
  refuseJoin: { code: string; message: string; retryAfterMs?: number } | undefined;
  /** What it does with a Hello. Default: Welcome. */
  onHello: (connection: CoreConnectionUnderTest) => void = (connection) =>
    connection.send({ case: 'welcome', value: this.welcome() });
  requests: string[] = [];
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true });

  constructor(options: { authority?: TestAuthority; serverLife?: [number, number] } = {}) {
    this.authority = options.authority ?? makeAuthority();
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const certificate = this.authority.issue('server', key.publicKey, options.serverLife);
    this.#server = createServer(
      {
        key: key.privateKey.export({ format: 'pem', type: 'pkcs8' }),
        cert: new X509Certificate(certificate).toString(),
        ca: new X509Certificate(this.authority.caDer).toString(),
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
      },
      (request, response) => {
        this.requests.push(`${request.method} ${request.url}`);
        if (request.url === '/v1/ca') {
          const message = { caDer: this.authority.caDer, clockUnixMs: BigInt(Date.now() + this.skewMs) };
          response.end(toBinary(CaResponseSchema, create(CaResponseSchema, message)));
          return;
        }
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => response.end(this.#join(new Uint8Array(Buffer.concat(chunks)))));
      },
    );
    this.#server.on('upgrade', (request, socket, head) => {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#session(webSocket));
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): CoreConnectionUnderTest {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error('nobody has connected');
    return last;
  }

  token(addresses: readonly string[] = [this.address], caFingerprint = this.authority.fingerprint): string {
    return formatJoinToken({ addresses, caFingerprint, id: 'abcdefghijkl', secret: new Uint8Array(32).fill(7) });
  }

  welcome(change: { index?: number; heartbeatMs?: number; protocol?: number } = {}) {
    return {
      protocol: 1,
      nodeId: NODE_ID,
      name: 'site-a',
      index: 7,
      addressPlan: PLAN,
      heartbeatMs: 1000,
      clockUnixMs: BigInt(Date.now() + this.skewMs),
      coreVersion: 'test',
      probePlan: { intervalMs: 100, deadAfterMs: 500 },
      reportIntervalMs: 5000,
      demandIntervalMs: 5000,
      ...change,
    };
  }

  async stop(): Promise<void> {
    for (const { socket } of this.connections) socket.terminate();
    this.#webSockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(body: Uint8Array): Uint8Array {
    const request = fromBinary(JoinRequestSchema, body);
    this.joins.push(request);
    const answer = (message: MessageInitShape<typeof JoinResponseSchema>): Uint8Array =>
      toBinary(JoinResponseSchema, create(JoinResponseSchema, message));
    if (this.refuseJoin !== undefined) return answer({ refusal: this.refuseJoin });
    const parsed = parseSigningRequest(request.signingRequestDer);
    if (!parsed.ok) return answer({ refusal: { code: 'invalid_argument', message: parsed.reason } });
    return answer({
      nodeId: NODE_ID,
      name: request.name || 'site-a',
      index: 7,
      certificateDer: this.authority.issue('node', parsed.value.publicKey),
      addressPlan: PLAN,
      clockUnixMs: BigInt(Date.now() + this.skewMs),
    });
  }

  #session(socket: WebSocket): void {
    let seq = 0n;
    const connection: CoreConnectionUnderTest = {
      frames: [],
      socket,
      send: (body) => {
        seq += 1n;
        socket.send(encodeCoreFrame(seq, body));
      },
      sendRaw: (bytes) => socket.send(bytes),
      skipSeq: () => {
        seq += 1n;
      },
    };
    this.connections.push(connection);
    socket.on('message', (data: Buffer) => {
      const frame = decodeAgentFrame(new Uint8Array(data));
      if (!frame.ok) throw new Error(`the agent sent a bad frame: ${frame.reason}`);
      if (frame.value.seq !== BigInt(connection.frames.length + 1)) throw new Error('the agent broke its sequence');
      connection.frames.push(frame.value);
      if (frame.value.body.case === 'hello') this.onHello(connection);
    });
    socket.on('error', () => {});
  }
}

/** Polls until `check` holds. */
export async function eventually(check: () => boolean, what: string, deadlineMs = 5000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
