/** What the core's users notice: joins, the API, and a session that was there before, watched all the while. */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { LoadDoor } from '../../netlab/loadtest/load-door.ts';
import { type SampleSummary, summarise } from '../../netlab/traffic/percentile.ts';
import type { ApiClient } from '../../protocol/api-client.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { decodeCoreFrame, encodeAgentFrame } from '../../protocol/frame-codec.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN, SOFTWARE_VERSION } from '../../protocol/version.ts';

export interface ServiceSummary {
  /** A join and the opening of a session, each with connections of their own. */
  readonly joinMs: SampleSummary;
  readonly joinsFailed: number;
  /** Of the last join that failed. */
  readonly why: string | null;
  /** GET /v1/status on the local socket. */
  readonly apiMs: SampleSummary;
  readonly apiFailed: number;
  /** Longest time without a heartbeat in the session, which is sent every 500 ms. */
  readonly longestSilenceMs: number;
  readonly sessionLost: boolean;
}

const JOIN_EVERY_MS = 500;
const ASK_EVERY_MS = 100;
export const HEARTBEAT_MS = 500;

export class ServiceWatch {
  readonly #door: LoadDoor;
  readonly #api: ApiClient;
  #session: { socket: WebSocket; heardAtMs: number; isOpen: boolean; seq: bigint } | undefined;

  constructor(door: LoadDoor, api: ApiClient) {
    this.#door = door;
    this.#api = api;
  }

  /** Opens the session that is watched. */
  async begin(): Promise<void> {
    const key = new Uint8Array(randomBytes(32));
    const { certificateDer } = await this.#joined(key);
    const socket = this.#door.open(certificateDer);
    const session = { socket, heardAtMs: performance.now(), isOpen: false, seq: 0n };
    this.#session = session;
    socket.on('message', () => {
      session.heardAtMs = performance.now();
    });
    socket.on('close', () => {
      session.isOpen = false;
    });
    await this.#welcomed(socket, key);
    session.isOpen = true;
    session.seq = 1n;
    const beats = setInterval(() => {
      if (!session.isOpen) return;
      const value = { clockUnixMs: BigInt(Date.now()) };
      socket.send(encodeAgentFrame(++session.seq, { case: 'heartbeat', value }));
    }, HEARTBEAT_MS);
    socket.once('close', () => clearInterval(beats));
  }

  /** Watches for a while. */
  async watch(durationMs: number): Promise<ServiceSummary> {
    const untilMs = performance.now() + durationMs;
    const [joinMs, apiMs]: [number[], number[]] = [[], []];
    let [joinsFailed, apiFailed, longestSilenceMs] = [0, 0, 0];
    let why: string | null = null;
    const joins = async () => {
      while (performance.now() < untilMs) {
        const begunMs = performance.now();
        try {
          const key = new Uint8Array(randomBytes(32));
          const { certificateDer } = await this.#joined(key);
          const socket = this.#door.open(certificateDer);
          await this.#welcomed(socket, key);
          socket.terminate();
          joinMs.push(performance.now() - begunMs);
        } catch (cause) {
          why = String(cause);
          joinsFailed++;
        }
        await pause(JOIN_EVERY_MS);
      }
    };
    const asks = async () => {
      while (performance.now() < untilMs) {
        const begunMs = performance.now();
        try {
          await this.#api.get('/v1/status');
          apiMs.push(performance.now() - begunMs);
        } catch {
          apiFailed++;
        }
        await pause(ASK_EVERY_MS);
      }
    };
    const silence = async () => {
      const session = this.#session;
      for (; session?.isOpen === true && performance.now() < untilMs; await pause(20)) {
        longestSilenceMs = Math.max(longestSilenceMs, performance.now() - session.heardAtMs);
      }
    };
    await Promise.all([joins(), asks(), silence()]);
    const sessionLost = this.#session?.isOpen !== true;
    return {
      joinMs: summarise(joinMs),
      joinsFailed,
      why,
      apiMs: summarise(apiMs),
      apiFailed,
      longestSilenceMs: Math.round(longestSilenceMs),
      sessionLost,
    };
  }

  end(): void {
    this.#session?.socket.terminate();
  }

  async #joined(key: Uint8Array) {
    const response = await this.#door.join(key, Date.now());
    if (response.refusal === undefined) return response;
    throw new ThalwegError('overloaded', `the join was refused: ${response.refusal.code}`);
  }

  #welcomed(socket: WebSocket, publicKey: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.on('close', () => reject(new ThalwegError('unreachable', 'closed')));
      socket.once('open', () => {
        const value = {
          protocolMin: PROTOCOL_MIN,
          protocolMax: PROTOCOL_MAX,
          software: SOFTWARE_VERSION,
          publicKey,
          listenPort: 51_820,
          underlayMtuBytes: 1500,
          transit: false,
          clockUnixMs: BigInt(Date.now()),
          instanceId: new Uint8Array(16),
          stampPort: 862,
          wireguardBackend: 'wireguard-go',
          leafCapacity: 0,
        };
        socket.send(encodeAgentFrame(1n, { case: 'hello', value }));
      });
      socket.on('message', (data: Buffer) => {
        const frame = decodeCoreFrame(data);
        const body = frame.ok ? frame.value.body.case : 'what is no frame';
        if (body === 'welcome') resolve();
        if (body === 'refusal') reject(new ThalwegError('overloaded', 'refused'));
      });
    });
  }
}
