/** The byte stream under a session: one WebSocket over mutual TLS 1.3, as a port so that sessions are tested without sockets. */
import { X509Certificate } from 'node:crypto';
import { type ClientOptions, WebSocket } from 'ws';
import { systemClock } from '../protocol/clock.ts';
import { ThalwegError } from '../protocol/error.ts';
import { MAX_CORE_FRAME_BYTES } from '../protocol/frame-codec.ts';
import { WEBSOCKET_SUBPROTOCOL } from '../protocol/version.ts';
import { connectionError, refusalError, saysWrongDate } from './core-error.ts';
import { CORE_SERVER_NAME, REQUEST_TIMEOUT_MS } from './core-request.ts';
import type { Credentials } from './identity.ts';

export interface CoreStreamListener {
  /** One binary frame. The bytes may be kept. */
  onFrame(bytes: Uint8Array): void;
  /** Exactly once. `error` is set where the other side or the network broke the rules. */
  onClose(error: ThalwegError | undefined): void;
}

export interface CoreStream {
  /** Frames given before `listen` are kept. Called once. */
  listen(listener: CoreStreamListener): void;
  send(bytes: Uint8Array): void;
  /** Bytes not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** Ends politely, and for good after a second; resolves when it is closed: the core then has all that it ever will. Idempotent. */
  close(): Promise<void>;
}

/** Rejects with ThalwegError: unreachable, timeout, ca_mismatch, clock_skew, certificate_invalid, or what the core refused with. */
export type OpenCoreStream = (address: string, credentials: Credentials) => Promise<CoreStream>;

/** What the core gets to take the last frames and answer the close frame. */
const CLOSE_DEADLINE_MS = 1000;
/** A refusal's text is a few hundred bytes. */
const MAX_REFUSAL_BYTES = 8192;

export const openCoreStream: OpenCoreStream = (address, { caPem, certificatePem, keyPem }) => {
  // ws hands what it does not know to tls.connect; its types leave `servername` out.
  const options: ClientOptions & { servername: string } = {
    ca: caPem,
    cert: certificatePem,
    key: keyPem,
    servername: CORE_SERVER_NAME,
    minVersion: 'TLSv1.3',
    maxPayload: MAX_CORE_FRAME_BYTES,
    handshakeTimeout: REQUEST_TIMEOUT_MS,
    perMessageDeflate: false,
    followRedirects: false,
  };
  const socket = new WebSocket(`wss://${address}/v1/session`, [WEBSOCKET_SUBPROTOCOL], options);
  return new Promise((resolve, reject) => {
    // In TLS 1.3 the core's verdict on our certificate comes after the handshake, as an error of the open socket.
    socket.once('error', (cause) => void failureOf(address, cause, caPem).then(reject));
    socket.once('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MAX_REFUSAL_BYTES) chunks.push(chunk);
        else response.destroy();
      });
      response.on('close', () => {
        reject(refusalOf(address, response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')));
        socket.terminate();
      });
    });
    socket.once('open', () => {
      socket.removeAllListeners('error');
      resolve(new WebSocketStream(socket, address));
    });
  });
};

/** Where TLS refuses dates, the core is asked for its clock, so that the error can say by how much this one is off. */
async function failureOf(address: string, cause: unknown, caPem: string): Promise<ThalwegError> {
  if (!saysWrongDate(cause)) return connectionError(address, cause);
  try {
    // Only now: a device whose clock is right never needs it.
    const { caFingerprint, fetchCa } = await import('./core-ca.ts');
    await fetchCa(address, caFingerprint(new X509Certificate(caPem).raw), systemClock);
  } catch (better) {
    if (better instanceof ThalwegError && better.code === 'clock_skew') return better;
  }
  return connectionError(address, cause);
}

class WebSocketStream implements CoreStream {
  readonly #socket: WebSocket;
  #listener: CoreStreamListener | undefined;
  #early: Uint8Array[] = [];
  #error: ThalwegError | undefined;
  #closed = false;
  #closing: Promise<void> | undefined;

  constructor(socket: WebSocket, address: string) {
    this.#socket = socket;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (data, isBinary) => {
      if (!isBinary || !(data instanceof Uint8Array)) {
        this.#error ??= new ThalwegError('protocol_violation', 'the core sent a text frame');
        socket.terminate();
        return;
      }
      if (this.#listener === undefined) this.#early.push(data);
      else this.#listener.onFrame(data);
    });
    socket.on('error', (cause: Error & { code?: string }) => {
      this.#error ??= socketError(address, cause);
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#listener?.onClose(this.#error);
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  listen(listener: CoreStreamListener): void {
    this.#listener = listener;
    for (const bytes of this.#early) listener.onFrame(bytes);
    this.#early = [];
    if (this.#closed) listener.onClose(this.#error);
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes, () => {});
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      if (this.#closed) return resolve();
      // The close frame goes out behind all that was sent, and the core answers it when it has read that far.
      this.#socket.close(1000);
      const force = systemClock.after(CLOSE_DEADLINE_MS, () => this.#socket.terminate());
      this.#socket.once('close', () => {
        force.cancel();
        resolve();
      });
    });
    return this.#closing;
  }
}

function socketError(address: string, cause: Error & { code?: string }): ThalwegError {
  if (cause.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    return new ThalwegError('frame_too_large', `the core sent a frame over ${MAX_CORE_FRAME_BYTES} bytes`, { cause });
  }
  if (cause.code?.startsWith('WS_ERR_')) {
    return new ThalwegError('protocol_violation', `the core broke the WebSocket protocol: ${cause.code}`, { cause });
  }
  return connectionError(address, cause);
}

/** The core refuses before the upgrade with a status and an ErrorObject. */
function refusalOf(address: string, status: number, text: string): ThalwegError {
  try {
    const body: unknown = JSON.parse(text);
    const object = typeof body === 'object' && body !== null && 'error' in body ? body.error : body;
    if (typeof object === 'object' && object !== null && 'code' in object && 'message' in object) {
      // A status of the 5xx passes by itself; a 4xx does not.
      return refusalError({
        code: String(object.code),
        message: String(object.message),
        retryAfterMs: status >= 500 || status === 429 ? 1000 : 0,
      });
    }
  } catch {
    // Not JSON: the status says all there is.
  }
  return new ThalwegError('unreachable', `the core at ${address} answered with status ${status} instead of a session`, {
    fields: { address, status },
  });
}
