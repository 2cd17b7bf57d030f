/** The relay's port on NATS, as the core's thread sees it; the other thread does the work: see relay-post.ts. */
import type { RelayListener, RelayPort } from '../../cluster/relay-port.ts';
import type { RelayNews } from './link-message.ts';
import type { NatsBridge } from './nats-bridge.ts';

export class NatsRelay implements RelayPort {
  readonly core: string;
  readonly #bridge: NatsBridge;
  #listener: RelayListener | undefined;
  #isConnected = false;
  #term = 0;

  constructor(bridge: NatsBridge, core: string) {
    this.#bridge = bridge;
    this.core = core;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  join(listener: RelayListener): void {
    this.#listener = listener;
    this.#bridge.relay({ kind: 'join' });
  }

  serve(term: number): void {
    this.#term = term;
    this.#bridge.relay({ kind: 'serve', term });
  }

  toSolver(term: number, packet: Uint8Array): void {
    this.#bridge.relay({ kind: 'send', to: null, term, packet });
  }

  toHolder(core: string, packet: Uint8Array): void {
    this.#bridge.relay({ kind: 'send', to: core, term: this.#term, packet });
  }

  /** The other thread says this. */
  hear(news: RelayNews): void {
    switch (news.kind) {
      case 'connected':
        this.#isConnected = news.isConnected;
        return;
      case 'solver':
        this.#listener?.solver(news.core, news.term);
        return;
      case 'fromHolder':
        this.#listener?.fromHolder(news.core, news.packet);
        return;
      case 'fromSolver':
        this.#listener?.fromSolver(news.packet);
        return;
      default:
        news satisfies never;
    }
  }
}
