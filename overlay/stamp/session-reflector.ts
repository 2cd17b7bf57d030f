/**
 * The Session-Reflector without its socket: a Session-Sender packet goes in, its reflection comes out in the same
 * buffer and of the same length (RFC 8762 section 4.3, stateful: each session has a sequence of its own).
 *
 * It answers one packet with one of the same size, so it amplifies nothing; a bound per source address keeps it from
 * being used to flood somebody at second hand, and packets from its own port are not answered, since two reflectors
 * would play one forged packet back and forth for ever.
 */
import { BlockList, isIPv4 } from 'node:net';
import { LRUCache } from 'lru-cache';
import { ThalwegError } from '../../protocol/error.ts';
import { TokenBucket } from '../../protocol/token-bucket.ts';
import type { LoopLag } from './loop-lag.ts';
import { STAMP_ERROR_US } from './session-sender.ts';
import type { StampClock } from './stamp-clock.ts';
import { encodeErrorEstimate, reflectInPlace, STAMP_PACKET_BYTES, stampReply } from './stamp-packet.ts';

export type ReflectOutcome = 'reflected' | 'malformed' | 'foreign_source' | 'reflector_port' | 'rate_limited';

export interface ReflectorOptions {
  /** The port it listens on. */
  readonly port: number;
  /** IPv4 prefix in CIDR notation outside of which nobody gets an answer. Null: anybody does. */
  readonly allowedRange: string | null;
}

/** Sessions (address, port) whose sequence numbers are kept; the least recently used goes first. About 1 MB when full. */
const SESSIONS_MAX = 4096;
const SOURCES_MAX = 4096;
/**
 * Replies to one source address: twice what the shortest probe interval (10 ms) asks for; and what piles up in the
 * socket during a stall of a second is still answered.
 */
const REPLIES = { perS: 200, most: 200 };

const ERROR_ON_TIME = encodeErrorEstimate(STAMP_ERROR_US, false);

export class SessionReflector {
  readonly #clock: StampClock;
  readonly #lag: LoopLag;
  readonly #port: number;
  readonly #allowed: BlockList | null;
  readonly #sequences = new LRUCache<string, { next: number }>({ max: SESSIONS_MAX });
  readonly #allowances = new LRUCache<string, TokenBucket>({ max: SOURCES_MAX });
  readonly #stamp = { seconds: 0, fraction: 0 };

  /** Throws invalid_argument when `allowedRange` is not an IPv4 prefix. */
  constructor(deps: { clock: StampClock; lag: LoopLag }, options: ReflectorOptions) {
    this.#clock = deps.clock;
    this.#lag = deps.lag;
    this.#port = options.port;
    this.#allowed = options.allowedRange === null ? null : rangeList(options.allowedRange);
  }

  /**
   * Rewrites `packet`, received from `address`:`port` and read from the socket at `receivedAtMs` (T2), into its
   * reflection; send it at once. On any outcome but `reflected` the packet is unchanged and must not be answered.
   */
  reflect(packet: Buffer, address: string, port: number, receivedAtMs: number): ReflectOutcome {
    // Nobody can be answered on port 0.
    if (packet.length < STAMP_PACKET_BYTES || port === 0) return 'malformed';
    if (port === this.#port) return 'reflector_port';
    if (this.#allowed !== null && !(isIPv4(address) && this.#allowed.check(address))) return 'foreign_source';
    if (!this.#takeToken(address, receivedAtMs)) return 'rate_limited';
    const key = `${address}:${port}`;
    let session = this.#sequences.get(key);
    if (session === undefined) {
      session = { next: 0 };
      this.#sequences.set(key, session);
    }
    const latenessMs = this.#lag.latenessMs(receivedAtMs);
    const error =
      latenessMs === 0 ? ERROR_ON_TIME : encodeErrorEstimate(Math.max(STAMP_ERROR_US, latenessMs * 1000), false);
    this.#clock.ntpAt(receivedAtMs, this.#stamp);
    reflectInPlace(packet, session.next, this.#stamp, error);
    session.next = (session.next + 1) >>> 0;
    this.#clock.ntpAt(this.#clock.monoMs(), this.#stamp);
    stampReply(packet, this.#stamp);
    return 'reflected';
  }

  #takeToken(address: string, nowMs: number): boolean {
    let allowance = this.#allowances.get(address);
    if (allowance === undefined) {
      allowance = new TokenBucket(REPLIES, nowMs);
      this.#allowances.set(address, allowance);
    }
    if (!allowance.holds(1, nowMs)) return false;
    allowance.take(1, nowMs);
    return true;
  }
}

function rangeList(range: string): BlockList {
  const [base = '', length = ''] = range.split('/');
  if (!isIPv4(base) || !/^\d{1,2}$/.test(length) || Number(length) > 32) {
    throw new ThalwegError('invalid_argument', `the reflector's allowed range ${range} is not an IPv4 prefix`, {
      nextStep: 'pass the tunnel range in CIDR notation, for example 100.112.0.0/12',
    });
  }
  const list = new BlockList();
  list.addSubnet(base, Number(length), 'ipv4');
  return list;
}
