/** An agent's control side without a data plane: joins, opens sessions and speaks frames over real TLS on loopback. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type ClientOptions, WebSocket } from 'ws';
import { type AgentBody, decodeCoreFrame, encodeAgentFrame } from '../../protocol/frame-codec.ts';
import {
  CaResponseSchema,
  JoinRequestSchema,
  type JoinResponse,
  JoinResponseSchema,
} from '../../protocol/gen/thalweg/v1/join_pb.ts';
import type { CoreFrame, Hello, Refusal } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import { parseJoinToken } from '../../protocol/join-token.ts';
import { Pkcs10CertificateRequestGenerator } from '../../protocol/x509.ts';

const DEADLINE_MS = 5000;

/** A PKCS #10 request in DER for `publicKey`, signed by `key`, which need not be its private key. */
export async function makeSigningRequest(publicKey: KeyObject, key: KeyObject): Promise<Uint8Array> {
  const namedCurve = key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'P-384' : 'P-256';
  const algorithm = { name: 'ECDSA', namedCurve };
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const pkcs8 = key.export({ format: 'der', type: 'pkcs8' });
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whatever it asks for',
    keys: {
      publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
      privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return new Uint8Array(request.rawData);
}

export class TestAgent {
  port: number;
  readonly wireguardKey = new Uint8Array(randomBytes(32));
  tlsKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  caPem = '';
  certificatePem = '';
  joined: JoinResponse | undefined;

  constructor(port: number) {
    this.port = port;
  }

  signingRequest(): Promise<Uint8Array> {
    return makeSigningRequest(this.tlsKey.publicKey, this.tlsKey.privateKey);
  }

  /** Fetches the CA and checks its fingerprint, as an agent does before it sends anything secret. */
  async fetchCa(fingerprint: string): Promise<void> {
    const { status, body } = await this.http('GET', '/v1/ca', undefined, false);
    if (status !== 200) throw new Error(`GET /v1/ca answered ${status}`);
    const { caDer } = fromBinary(CaResponseSchema, body);
    const seen = createHash('sha256').update(caDer).digest('hex');
    if (seen !== fingerprint) throw new Error(`CA fingerprint ${seen} is not the token's`);
    this.caPem = new X509Certificate(caDer).toString();
  }

  async join(
    tokenText: string,
    change: Partial<MessageInitShape<typeof JoinRequestSchema>> = {},
  ): Promise<JoinResponse> {
    const token = parseJoinToken(tokenText);
    if (!token.ok) throw new Error(token.reason);
    await this.fetchCa(token.value.caFingerprint);
    const message = create(JoinRequestSchema, {
      protocolMin: 1,
      protocolMax: 1,
      software: 'test',
      tokenId: token.value.id,
      tokenSecret: token.value.secret,
      name: '',
      signingRequestDer: await this.signingRequest(),
      publicKey: this.wireguardKey,
      clockUnixMs: BigInt(Date.now()),
      ...change,
    });
    const { status, body } = await this.http('POST', '/v1/join', toBinary(JoinRequestSchema, message));
    if (status !== 200) throw new Error(`POST /v1/join answered ${status}`);
    const response = fromBinary(JoinResponseSchema, body);
    if (response.refusal === undefined) {
      this.joined = response;
      this.certificatePem = new X509Certificate(response.certificateDer).toString();
    }
    return response;
  }

  /** A request to the agent port; with `verify` the server must present thalweg-core under the pinned CA. */
  http(method: string, path: string, body?: Uint8Array, verify = true): Promise<{ status: number; body: Uint8Array }> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          servername: 'thalweg-core',
          agent: false,
          timeout: DEADLINE_MS,
          ...(verify ? { ca: this.caPem } : { rejectUnauthorized: false }),
          headers: { 'content-type': 'application/x-protobuf', 'content-length': body?.length ?? 0 },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(chunks)) }),
          );
        },
      );
      call.on('timeout', () => call.destroy(new Error('timeout')));
      call.on('error', reject);
      call.end(body);
    });
  }

  /** Opens the WebSocket; no frame is sent yet. */
  async connect(withCertificate = true): Promise<TestSession> {
    const identity = withCertificate
      ? { cert: this.certificatePem, key: this.tlsKey.privateKey.export({ format: 'pem', type: 'pkcs8' }) }
      : {};
    const options: ClientOptions & { servername: string } = {
      ca: this.caPem,
      servername: 'thalweg-core',
      minVersion: 'TLSv1.3',
      perMessageDeflate: false,
      ...identity,
    };
    const socket = new WebSocket(`wss://127.0.0.1:${this.port}/v1/session`, 'thalweg.v1', options);
    const session = new TestSession(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`upgrade answered ${response.statusCode}`));
        response.destroy();
      });
      socket.once('error', reject);
    });
    return session;
  }

  hello(change: Partial<Omit<Hello, '$typeName' | '$unknown'>> = {}): AgentBody {
    return {
      case: 'hello',
      value: {
        protocolMin: 1,
        protocolMax: 1,
        software: 'test',
        publicKey: this.wireguardKey,
        listenPort: 51820,
        endpoints: [
          { $typeName: 'thalweg.v1.Endpoint', address: Uint8Array.of(192, 0, 2, this.joined?.index ?? 1), port: 51820 },
        ],
        underlayMtuBytes: 1500,
        transit: true,
        clockUnixMs: BigInt(Date.now()),
        instanceId: new Uint8Array(8),
        stampPort: 862,
        wireguardBackend: 'wireguard-go',
        ...change,
      },
    };
  }

  /** Connects and says hello. */
  async open(change: Partial<Omit<Hello, '$typeName' | '$unknown'>> = {}): Promise<TestSession> {
    const session = await this.connect();
    session.send(this.hello(change));
    await session.next('welcome');
    return session;
  }
}

type CoreCase = NonNullable<CoreFrame['body']['case']>;
type CoreValue<C extends CoreCase> = Extract<CoreFrame['body'], { case: C }>['value'];

export class TestSession {
  readonly socket: WebSocket;
  readonly frames: CoreFrame[] = [];
  closeCode: number | undefined;
  seq = 0n;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const frame = decodeCoreFrame(new Uint8Array(data));
      if (!frame.ok) throw new Error(frame.reason);
      this.frames.push(frame.value);
      this.#wake();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
    socket.on('error', () => {});
  }

  send(body: AgentBody): void {
    this.sendBytes(encodeAgentFrame(++this.seq, body));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** Takes the next frame of a kind out of those received, waiting for it. */
  async next<C extends CoreCase>(kind: C): Promise<CoreValue<C>> {
    const found = () => this.frames.findIndex(({ body }) => body.case === kind);
    await this.#until(() => found() >= 0, `a ${kind} frame`);
    const [frame] = this.frames.splice(found(), 1);
    return frame?.body.value as CoreValue<C>;
  }

  /** Waits for the close and returns the refusal before it, if there was one. */
  async ended(): Promise<{ refusal: Refusal | undefined; closeCode: number }> {
    await this.#until(() => this.closeCode !== undefined, 'the close');
    const frame = this.frames.find(({ body }) => body.case === 'refusal');
    return { refusal: frame?.body.value as Refusal | undefined, closeCode: this.closeCode ?? 0 };
  }

  close(): void {
    this.socket.close();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!condition()) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0) {
        const seen = this.frames.map(({ body }) => body.case).join(' ');
        throw new Error(`${what} did not come; seen: ${seen}; close ${this.closeCode}`);
      }
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        timer = setTimeout(resolve, leftMs);
      });
      clearTimeout(timer);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
