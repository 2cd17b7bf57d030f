/** Client of the core's HTTP API: local socket (`unix:/run/thalweg/core.sock`), `http://host:port`, `https://host:port`. */
import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseApiKey } from './api-key.ts';
import { isErrorCode, ThalwegError } from './error.ts';

/** Largest answer that is read: a path list of 1,000 nodes is about 200 MiB and has to be asked for in parts. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const TIMEOUT_MS = 10_000;

export interface ApiClientOptions {
  /** An API key, as `thalweg key create` printed it. Not sent to a local socket, which does not ask for one. */
  readonly key?: string | undefined;
  /** PEM of the CAs that the core's API certificate may be of; default: those that Node.js trusts. */
  readonly ca?: string | undefined;
}

export class ApiClient {
  readonly #target: string;
  readonly #connection: RequestOptions;
  readonly #open: (options: RequestOptions) => ClientRequest;
  readonly #headers: Readonly<Record<string, string>>;

  /** Throws invalid_argument for another kind of target, and for a key that would cross a network in clear. */
  constructor(target: string, { key, ca }: ApiClientOptions = {}) {
    this.#target = target;
    this.#open = httpRequest;
    this.#headers = {};
    if (target.startsWith('unix:/')) {
      this.#connection = { socketPath: target.slice('unix:'.length) };
      return;
    }
    const url = URL.canParse(target) ? new URL(target) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol) || !['/', ''].includes(url.pathname)) {
      throw new ThalwegError(
        'invalid_argument',
        `core address ${target} is neither unix:/path nor http://host:port nor https://host:port`,
        { nextStep: 'pass --core unix:/run/thalweg/core.sock or --core https://core.example:8471' },
      );
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const secure = url.protocol === 'https:';
    this.#connection = { host, port: Number(url.port || (secure ? 443 : 80)) };
    if (secure) {
      const trusted = ca === undefined ? {} : { ca };
      this.#open = (options) => httpsRequest({ ...options, ...trusted, minVersion: 'TLSv1.3' });
    }
    if (key === undefined) return;
    if (!secure && !isLoopbackHost(host)) {
      throw new ThalwegError(
        'invalid_argument',
        `core address ${target}: an API key would cross the network in clear`,
        {
          fields: { target },
          nextStep:
            'use https:// (the core needs --api-tls-cert and --api-tls-key), or a tunnel to its loopback address',
        },
      );
    }
    if (!parseApiKey(key).ok) {
      throw new ThalwegError('invalid_argument', 'the API key cannot be read: it is incomplete or mistyped', {
        nextStep: 'pass the whole key as `thalweg key create` printed it',
      });
    }
    this.#headers = { authorization: `Bearer ${key}` };
  }

  get<T>(path: string): Promise<T> {
    return this.#call<T>('GET', path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.#call<T>('POST', path, JSON.stringify(body));
  }

  delete<T>(path: string): Promise<T> {
    return this.#call<T>('DELETE', path);
  }

  /** Throws what the core answered as ThalwegError, or `unreachable`, `timeout`, `internal`. */
  #call<T>(method: string, path: string, body?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const headers = { ...this.#headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      // A connection of its own for each call: one kept open would be found dead by the first call after a core's restart.
      const options = { ...this.#connection, method, path, headers, timeout: TIMEOUT_MS, agent: false };
      const call = this.#open(options);
      call.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) call.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', (cause) => reject(this.#unreachable(cause)));
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          const answer = parseJson(Buffer.concat(chunks).toString('utf8'));
          if (status >= 200 && status < 300 && answer !== undefined) resolve(answer as T);
          else reject(errorFrom(answer, status));
        });
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
      call.on('error', (cause) => reject(this.#unreachable(cause)));
      call.end(body);
    });
  }

  #unreachable(cause: Error): ThalwegError {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (/CERT|ALTNAME|SIGNED|ISSUER/.test(code)) {
      return new ThalwegError('unreachable', `the certificate of ${this.#target} is not trusted: ${cause.message}`, {
        cause,
        nextStep:
          "name the CA of the core's API certificate with --api-ca-file, and the core by a name in the certificate",
      });
    }
    return new ThalwegError('unreachable', `no core answers at ${this.#target}: ${cause.message}`, {
      cause,
      nextStep: 'start one with `thalweg core`, or name another with --core',
    });
  }
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorFrom(answer: unknown, status: number): ThalwegError {
  const { code, message, nextStep, fields } = (answer ?? {}) as Record<string, unknown>;
  if (typeof code === 'string' && isErrorCode(code) && typeof message === 'string') {
    return new ThalwegError(code, message, {
      ...(typeof nextStep === 'string' ? { nextStep } : {}),
      ...(typeof fields === 'object' && fields !== null ? { fields: fields as Record<string, string> } : {}),
    });
  }
  return new ThalwegError('internal', `the core answered with HTTP status ${status}`);
}
