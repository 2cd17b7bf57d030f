/** Core NATS between cores of one process: packets arrive in order and one by one, may be lost, and cores may be cut off. */
import type { RelayListener, RelayPort } from '../../steering/cluster/relay-port.ts';

interface Packet {
  readonly from: string;
  readonly to: string;
  readonly deliver: (listener: RelayListener) => void;
}

export class RelayBus {
  readonly #listeners = new Map<string, RelayListener>();
  readonly #terms = new Map<number, string>();
  #waiting: Packet[] = [];
  /** Cores that reach nobody. */
  readonly cut = new Set<string>();
  /** Loses a packet when it says so. */
  loses: (from: string, to: string) => boolean = () => false;

  port(core: string): RelayPort {
    const send = (to: string | undefined, deliver: Packet['deliver']) => {
      if (to !== undefined && !this.cut.has(core)) this.#waiting.push({ from: core, to, deliver });
    };
    const isCut = () => this.cut.has(core);
    return {
      core,
      get isConnected() {
        return !isCut();
      },
      join: (listener) => void this.#listeners.set(core, listener),
      serve: (term) => void this.#terms.set(term, core),
      toSolver: (term, packet) => send(this.#terms.get(term), (listener) => listener.fromHolder(core, packet)),
      toHolder: (to, packet) => send(to, (listener) => listener.fromSolver(packet)),
    };
  }

  /** Everybody hears that this core steers. */
  announce(core: string, term: number): void {
    for (const to of this.#listeners.keys()) {
      if (!this.cut.has(core))
        this.#waiting.push({ from: core, to, deliver: (listener) => listener.solver(core, term) });
    }
  }

  /** Delivers what is on its way, and what that causes. */
  run(): void {
    for (let packet = this.#waiting.shift(); packet !== undefined; packet = this.#waiting.shift()) {
      const { from, to, deliver } = packet;
      const listener = this.#listeners.get(to);
      if (listener !== undefined && !this.cut.has(to) && !this.loses(from, to)) deliver(listener);
    }
  }
}
