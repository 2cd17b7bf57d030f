/**
 * The plain HTTPS requests of the agent port: `GET /v1/ca` and `POST /v1/join`. Bodies are protobuf. A join that is
 * refused is answered with status 200 and a JoinResponse that holds the refusal; other statuses carry no message.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { MAX_JOIN_BYTES } from '../../protocol/frame-codec.ts';
import {
  CaResponseSchema,
  type JoinRequest,
  JoinRequestSchema,
  type JoinResponse,
  JoinResponseSchema,
} from '../../protocol/gen/thalweg/v1/join_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import type { NodeRecord } from '../store/store.ts';
import type { Admission } from './admission.ts';
import { plainAddress } from './endpoint-candidates.ts';
import type { JoinService } from './join-service.ts';
import { asThalwegError, refusalOf } from './refusal.ts';

const PROTOBUF = 'application/x-protobuf';
/** Longest software name that is kept. */
const MAX_SOFTWARE_CHARACTERS = 64;

export interface JoinEndpointDeps {
  readonly service: JoinService;
  readonly admission: Admission;
  readonly commits: GroupCommit;
  readonly authority: MeshAuthority;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
  readonly onJoined: (node: NodeRecord) => void;
}

export class JoinEndpoint {
  readonly #deps: JoinEndpointDeps;

  constructor(deps: JoinEndpointDeps) {
    this.#deps = deps;
  }

  /** Answers a request of the agent port. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0];
    if (request.method === 'GET' && path === '/v1/ca') {
      const { authority, clock } = this.#deps;
      const { certificate, predecessor } = authority;
      const answer = {
        caDer: new Uint8Array(certificate.raw),
        clockUnixMs: BigInt(clock.nowMs()),
        ...(predecessor && { predecessorDer: predecessor.der, predecessorSignature: predecessor.signature }),
      };
      reply(response, 200, toBinary(CaResponseSchema, create(CaResponseSchema, answer)));
    } else if (request.method === 'POST' && path === '/v1/join') {
      await this.#join(request, response);
    } else {
      discard(request);
      reply(response, 404);
    }
  }

  async #join(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { admission, metrics } = this.#deps;
    const remote = plainAddress(request.socket.remoteAddress) ?? '';
    try {
      // before a place is asked for: whoever sends by drops holds none
      const body = await readBody(request);
      if (body === undefined) {
        metrics.joins.inc({ result: 'frame_too_large' });
        reply(response, 413);
        return;
      }
      const place = admission.enter(remote);
      if (!place.admitted) {
        const error = new ThalwegError(
          'overloaded',
          place.why === 'busy' ? 'too many devices are joining' : 'too many failed attempts',
        );
        metrics.joins.inc({ result: error.code });
        sendJoin(response, create(JoinResponseSchema, { refusal: refusalOf(error, place.retryAfterMs) }));
        return;
      }
      let failed = true;
      try {
        const answer = await this.#answer(body, remote);
        failed = answer.refusal !== undefined;
        sendJoin(response, answer);
      } finally {
        place.release(failed);
      }
    } catch {
      // The connection ended before the request did.
      response.destroy();
    }
  }

  async #answer(body: Uint8Array, remote: string): Promise<JoinResponse> {
    const { service, commits, metrics, log, onJoined } = this.#deps;
    try {
      const request = decodeJoin(body);
      const outcome = await commits.run(() => service.join(request));
      metrics.joins.inc({ result: outcome.rejoined ? 'rejoined' : 'joined' });
      onJoined(outcome.node);
      return outcome.response;
    } catch (cause) {
      const error = asThalwegError(cause);
      metrics.joins.inc({ result: error.code });
      const isOurs = error.code === 'internal' || error.code === 'disk_full' || error.code === 'storage_failed';
      const fields = { code: error.code, error: error.message, remote };
      if (isOurs) log.error('join failed', fields);
      else log.info('join refused', fields);
      return create(JoinResponseSchema, { refusal: refusalOf(error, isOurs ? 5000 : 0) });
    }
  }
}

/** Reads the body of a join. Throws `protocol_violation`, `invalid_argument`. */
export function decodeJoin(body: Uint8Array): JoinRequest {
  let request: JoinRequest;
  try {
    request = fromBinary(JoinRequestSchema, body);
  } catch (cause) {
    throw new ThalwegError('protocol_violation', 'the body is not a JoinRequest', { cause });
  }
  if (request.software.length > MAX_SOFTWARE_CHARACTERS) {
    throw new ThalwegError('invalid_argument', `software is longer than ${MAX_SOFTWARE_CHARACTERS} characters`);
  }
  return request;
}

/** Lets a body pass that nobody wants, and ends the connection of one that is larger than any that somebody might. */
function discard(request: IncomingMessage): void {
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_JOIN_BYTES) request.destroy();
  });
}

/** Undefined when the body is larger than a join request may be; rejects when the connection ends early. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_JOIN_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJoin(response: ServerResponse, message: JoinResponse): void {
  reply(response, 200, toBinary(JoinResponseSchema, message));
}

function reply(response: ServerResponse, status: number, body?: Uint8Array): void {
  const close = status === 413 ? { connection: 'close' } : {};
  response.writeHead(status, { ...close, 'content-type': PROTOBUF, 'content-length': body?.length ?? 0 });
  response.end(body);
}
