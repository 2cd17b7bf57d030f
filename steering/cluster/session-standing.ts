/**
 * What an agent has said in its session and would say again in a new one: its Hello as it would be now, what it measured, and
 * what it asked for and was not answered. A solver that takes over is told this, and knows what it would know if the agent
 * had connected anew. Pure.
 */

import { MAX_LINKS_PER_REPORT } from '../../protocol/frame-codec.ts';
import type { CoreFrame, Hello, LinkMeasurement } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { OpenBody } from '../session/node-session.ts';

/** What asks for an answer, and which answer ends it. */
const ANSWERS = {
  tableRequest: 'routeDelta',
  renewRequest: 'renewResponse',
  keyProposal: 'keyTurn',
  keyInUse: 'keyTurn',
} as const;
type Asking = keyof typeof ANSWERS;

export class SessionStanding {
  #hello: Hello;
  #skewMs: number;
  readonly #links = new Map<number, LinkMeasurement>();
  readonly #asked = new Map<Asking | 'goodbye', OpenBody>();
  #unanswered: bigint | null = null;

  /** `nowMs`: the wall clock. */
  constructor(hello: Hello, nowMs: number) {
    this.#hello = hello;
    this.#skewMs = Number(hello.clockUnixMs) - nowMs;
  }

  /** A table is on its way to the agent, and it is not known which one it holds. */
  get isUncertain(): boolean {
    return this.#unanswered !== null;
  }

  get skewMs(): number {
    return this.#skewMs;
  }

  clockSkew(skewMs: number): void {
    this.#skewMs = skewMs;
  }

  /** The agent said this. */
  heard(body: OpenBody): void {
    switch (body.case) {
      case 'linkReport':
        for (const link of body.value.links) {
          if (this.#links.size < MAX_LINKS_PER_REPORT || this.#links.has(link.peerIndex)) {
            this.#links.set(link.peerIndex, link);
          }
        }
        return;
      case 'tableAck': {
        const { generation, checksum, error } = body.value;
        if (error === '') this.#change({ tableGeneration: generation, tableChecksum: checksum });
        if (generation === this.#unanswered) this.#unanswered = null;
        return;
      }
      case 'policyStatus': {
        const { generation, checksum, error } = body.value;
        if (error === '') this.#change({ policyGeneration: generation, policyChecksum: checksum });
        return;
      }
      case 'hostUpdate': {
        const { endpoints, listenPort, underlayMtuBytes, transit } = body.value;
        this.#change({ endpoints, listenPort, underlayMtuBytes, transit });
        return;
      }
      case 'trustReport':
        this.#change({ trust: body.value });
        return;
      case 'tableRequest':
        this.#unanswered = null;
        this.#asked.set(body.case, body);
        return;
      case 'keyInUse':
        this.#change({ publicKey: body.value.publicKey });
        this.#asked.set(body.case, body);
        return;
      case 'renewRequest':
      case 'keyProposal':
      case 'goodbye':
        this.#asked.set(body.case, body);
        return;
      case 'demandReport':
        // the next one is soon there
        return;
      default:
        body satisfies never;
    }
  }

  /** The agent was told this. */
  told(body: CoreFrame['body']): void {
    for (const [asking, answer] of Object.entries(ANSWERS)) {
      if (answer === body.case) this.#asked.delete(asking as Asking);
    }
    if (body.case === 'routeDelta') {
      this.#unanswered = body.value.generation;
    } else if (body.case === 'peerUpdate') {
      const { full, set, remove } = body.value;
      const named = new Set(set.map(({ index }) => index));
      if (full) for (const peer of this.#links.keys()) if (!named.has(peer)) this.#links.delete(peer);
      for (const peer of remove) this.#links.delete(peer);
    }
  }

  /** The Hello that the agent would begin a session with now. */
  hello(nowMs: number): Hello {
    return { ...this.#hello, clockUnixMs: BigInt(Math.round(nowMs + this.#skewMs)) };
  }

  /** What it would say after its Welcome. */
  *news(): Generator<OpenBody> {
    if (this.#links.size > 0) {
      yield { case: 'linkReport', value: { $typeName: 'thalweg.v1.LinkReport', links: [...this.#links.values()] } };
    }
    yield* this.#asked.values();
  }

  #change(change: Partial<Hello>): void {
    this.#hello = { ...this.#hello, ...change };
  }
}
