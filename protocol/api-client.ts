/** Client of the core's HTTP API, over its local socket (`unix:/run/thalweg/core.sock`) or TCP (`http://host:port`). */
import { request } from 'node:http';
import { isErrorCode, ThalwegError } from './error.ts';

/** Largest answer that is read: a path list of 1,000 nodes is about 200 MiB and has to be asked for in parts. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
const TIMEOUT_MS = 10_000;

export class ApiClient {
  readonly #target: string;
  readonly #connection: { socketPath: string } | { host: string; port: number };

  /** Throws invalid_argument when `target` is neither `unix:/path` nor `http://host:port`. */
  constructor(target: string) {
    this.#target = target;
    if (target.startsWith('unix:/')) {
      this.#connection = { socketPath: target.slice('unix:'.length) };
      return;
    }
    const url = URL.canParse(target) ? new URL(target) : undefined;
    if (url?.protocol !== 'http:') {
      throw new ThalwegError('invalid_argument', `core address ${target} is neither unix:/path nor http://host:port`, {
        nextStep: 'pass --core unix:/run/thalweg/core.sock or --core http://127.0.0.1:8471',
      });
    }
    this.#connection = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 80) };
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
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      // A connection of its own for each call: one kept open would be found dead by the first call after a core's restart.
      const options = { ...this.#connection, method, path, headers, timeout: TIMEOUT_MS, agent: false };
      const call = request(options, (response) => {
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
    return new ThalwegError('unreachable', `no core answers at ${this.#target}: ${cause.message}`, {
      cause,
      nextStep: 'start one with `thalweg core`, or name another with --core',
    });
  }
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
