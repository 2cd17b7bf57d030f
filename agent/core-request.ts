/** One HTTPS request to the core's agent port, with a deadline and a bounded answer. TLS 1.3 only. */
import { type RequestOptions, request } from 'node:https';
import { ThalwegError } from '../protocol/error.ts';

/** The name in the core's certificate, whatever address it is reached at. */
export const CORE_SERVER_NAME = 'thalweg-core';
/** A core under load answers a join within a second or two; a dead address must not hold up the next one for long. */
export const REQUEST_TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export interface CoreRequest {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Uint8Array;
  /** PEM of the CA to trust. Undefined: trust nobody's word; for fetching the CA, which is then checked by fingerprint. */
  readonly caPem: string | undefined;
  readonly timeoutMs?: number;
}

export interface CoreAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

/** Splits `host:port`. Brackets of an IPv6 address go. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(address.slice(colon + 1)) };
}

/** Rejects with the socket's or TLS's own error; see `connectionError`. */
export function askCore(options: CoreRequest): Promise<CoreAnswer> {
  const { host, port } = splitAddress(options.address);
  const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  const requestOptions: RequestOptions = {
    host,
    port,
    method: options.method,
    path: options.path,
    servername: CORE_SERVER_NAME,
    minVersion: 'TLSv1.3',
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    ...(options.caPem === undefined ? { rejectUnauthorized: false } : { ca: options.caPem }),
    ...(options.body === undefined
      ? {}
      : { headers: { 'content-type': 'application/x-protobuf', 'content-length': options.body.length } }),
  };
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      reject(cause.name === 'TimeoutError' || cause.name === 'AbortError' ? timeout(options.address, cause) : cause);
    };
    const call = request(requestOptions, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) {
          call.destroy(new ThalwegError('frame_too_large', `the core's answer is over ${MAX_ANSWER_BYTES} bytes`));
          return;
        }
        chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: new Uint8Array(Buffer.concat(chunks)) }),
      );
    });
    call.on('error', fail);
    call.end(options.body);
  });
}

function timeout(address: string, cause: unknown): ThalwegError {
  return new ThalwegError('timeout', `the core at ${address} did not answer in time`, {
    cause,
    fields: { address },
    nextStep: 'check that the core runs and that no firewall drops TCP to its agent port',
  });
}
