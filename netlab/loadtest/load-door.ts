/**
 * How simulated agents reach the core: real TLS 1.3 on loopback. Joining takes the requests and connections of
 * `thalweg join`. The agents of a process share one TLS key and its signing request, which saves the load generator, not
 * the core, the making of keys; each has its own WireGuard key and its own certificate.
 */
import { createHash, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { type ConnectionOptions, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ClientOptions, WebSocket } from 'ws';
import { ThalwegError } from '../../protocol/error.ts';
import { MAX_CORE_FRAME_BYTES } from '../../protocol/frame-codec.ts';
import {
  CaResponseSchema,
  JoinRequestSchema,
  type JoinResponse,
  JoinResponseSchema,
} from '../../protocol/gen/thalweg/v1/join_pb.ts';
import { type JoinToken, parseJoinToken } from '../../protocol/join-token.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION, WEBSOCKET_SUBPROTOCOL } from '../../protocol/version.ts';
import { Pkcs10CertificateRequestGenerator } from '../../protocol/x509.ts';

const SERVER_NAME = 'thalweg-core';
/** Longer than an agent's: the generator itself may be what is late. */
const REQUEST_TIMEOUT_MS = 30_000;
const P256 = { name: 'ECDSA', namedCurve: 'P-256' };

/** For the first request, whose answer is checked against the token: making one takes a fifth of such a connection. */
const ANY_CA = createSecureContext({ minVersion: 'TLSv1.3' });

/**
 * A TLS connection without what Node does to find out the server's name: it makes an object and a PEM of every certificate of
 * the chain, a millisecond each time, which would be the load generator's and is not what is measured. OpenSSL checks the chain,
 * and the CA was made for this run.
 */
function connectLightly(options: ConnectionOptions): TLSSocket {
  const socket = connect({ ...options, path: undefined, checkServerIdentity: () => undefined });
  socket.getPeerCertificate = () => Object.create(null);
  return socket;
}

export class LoadDoor {
  readonly #ports: readonly number[];
  #opened = 0;
  readonly #token: JoinToken;
  readonly #keyPem: string;
  readonly #signingRequestDer: Uint8Array;
  #pinned: { readonly ca: string; readonly context: SecureContext } | undefined;

  private constructor(ports: readonly number[], token: JoinToken, keyPem: string, signingRequestDer: Uint8Array) {
    this.#ports = ports;
    this.#token = token;
    this.#keyPem = keyPem;
    this.#signingRequestDer = signingRequestDer;
  }

  /** Throws invalid_argument unless the token's core is on this machine's loopback. */
  static async make(tokenText: string): Promise<LoadDoor> {
    const token = parseJoinToken(tokenText);
    if (!token.ok) throw new ThalwegError('token_malformed', token.reason);
    const port = /^127\.0\.0\.1:(\d+)$/.exec(token.value.addresses[0] ?? '')?.[1];
    if (port === undefined) {
      throw new ThalwegError('invalid_argument', `the token names ${token.value.addresses[0]}, which is no loopback`, {
        nextStep: 'a load test is only run against a core of its own on 127.0.0.1',
      });
    }
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { subtle } = webcrypto;
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const signingRequest = await Pkcs10CertificateRequestGenerator.create({
      name: 'CN=thalweg-node',
      keys: {
        privateKey: await subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']),
        publicKey: await subtle.importKey('spki', spki, P256, true, ['verify']),
      },
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    });
    const keyPem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    return new LoadDoor([Number(port)], token.value, keyPem, new Uint8Array(signingRequest.rawData));
  }

  /** The same token and key at other cores on this machine: joins go to the first one, sessions to each in turn. */
  through(...ports: number[]): LoadDoor {
    return new LoadDoor(ports, this.#token, this.#keyPem, this.#signingRequestDer);
  }

  /** Where the last session went. */
  get openedPort(): number {
    return this.#ports[(this.#opened + this.#ports.length - 1) % this.#ports.length] ?? 0;
  }

  /** The next session goes where the last one went. */
  stay(): void {
    this.#opened--;
  }

  get port(): number {
    return this.#ports[0] ?? 0;
  }

  /** Asks for the CA, checks its fingerprint, joins. Rejects with what the connection ended with. */
  async join(publicKey: Uint8Array, clockUnixMs: number): Promise<JoinResponse> {
    const ca = fromBinary(CaResponseSchema, await this.#ask('GET', '/v1/ca'));
    if (createHash('sha256').update(ca.caDer).digest('hex') !== this.#token.caFingerprint) {
      throw new ThalwegError('ca_mismatch', 'the core answers with another CA than the token names');
    }
    if (this.#pinned === undefined) {
      const pem = new X509Certificate(ca.caDer).toString();
      this.#pinned = { ca: pem, context: createSecureContext({ ca: pem, minVersion: 'TLSv1.3' }) };
    }
    const message = create(JoinRequestSchema, {
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      software: SOFTWARE_VERSION,
      tokenId: this.#token.id,
      tokenSecret: this.#token.secret,
      name: '',
      signingRequestDer: this.#signingRequestDer,
      publicKey,
      clockUnixMs: BigInt(clockUnixMs),
    });
    const body = toBinary(JoinRequestSchema, message);
    return fromBinary(JoinResponseSchema, await this.#ask('POST', '/v1/join', body));
  }

  /** A session's WebSocket, not yet open. */
  open(certificateDer: Uint8Array): WebSocket {
    if (this.#pinned === undefined) throw new ThalwegError('internal', 'no agent has joined yet');
    const options: ClientOptions & { servername: string } = {
      ca: this.#pinned.ca,
      cert: new X509Certificate(certificateDer).toString(),
      key: this.#keyPem,
      servername: SERVER_NAME,
      minVersion: 'TLSv1.3',
      maxPayload: MAX_CORE_FRAME_BYTES,
      handshakeTimeout: REQUEST_TIMEOUT_MS,
      perMessageDeflate: false,
      createConnection: connectLightly as NonNullable<ClientOptions['createConnection']>,
    };
    const port = this.#ports[this.#opened++ % this.#ports.length];
    return new WebSocket(`wss://127.0.0.1:${port}/v1/session`, [WEBSOCKET_SUBPROTOCOL], options);
  }

  /** A connection of its own for each request, as an agent's. */
  #ask(method: 'GET' | 'POST', path: string, body?: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          servername: SERVER_NAME,
          createConnection: (options) => connectLightly(options as ConnectionOptions),
          timeout: REQUEST_TIMEOUT_MS,
          minVersion: 'TLSv1.3',
          ...(this.#pinned === undefined || body === undefined
            ? { rejectUnauthorized: body !== undefined, secureContext: ANY_CA }
            : { secureContext: this.#pinned.context }),
          ...(body === undefined
            ? {}
            : { headers: { 'content-type': 'application/x-protobuf', 'content-length': body.length } }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            if (response.statusCode === 200) resolve(new Uint8Array(Buffer.concat(chunks)));
            else reject(new ThalwegError('unreachable', `${path} was answered with status ${response.statusCode}`));
          });
        },
      );
      call.on('timeout', () => call.destroy(new ThalwegError('timeout', `${path} was not answered`)));
      call.on('error', reject);
      call.end(body);
    });
  }
}
