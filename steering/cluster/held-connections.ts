/**
 * Connections of agents at a core that stands by. They wait here, unread, until the core that steers is heard of, and are sent on
 * then; where it is not, since it was killed and they all come from there, they wait for whoever takes over. Often that is
 * this core, and their sessions begin at once.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';

/** A lease that was lost is taken within two seconds; where it is not, agents try elsewhere. */
const LONGEST_MS = 5000;
/** At about 50 KB each (seen of a TLS connection in Node) they are 100 MB. */
const MOST = 2000;

/** What is done with a connection; each called at most once, and only one of both. */
export interface HeldConnection {
  begin(): void;
  sendOn(): void;
}

export class HeldConnections {
  readonly #clock: Clock;
  #isSteering = false;
  readonly #held = new Map<HeldConnection, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Deals with the connection now, or when it is certain who steers. */
  take(connection: HeldConnection): void {
    if (this.#isSteering) connection.begin();
    else if (this.#held.size >= MOST) connection.sendOn();
    else
      this.#held.set(
        connection,
        this.#clock.after(LONGEST_MS, () => {
          if (this.drop(connection)) connection.sendOn();
        }),
      );
  }

  /** It is gone by itself. False when it was not held. */
  drop(connection: HeldConnection): boolean {
    this.#held.get(connection)?.cancel();
    return this.#held.delete(connection);
  }

  /** Whether this core still steers is not certain at the moment: who comes now waits. */
  doubt(): void {
    this.#isSteering = false;
  }

  /** This core steers from now on. */
  begin(): void {
    this.#isSteering = true;
    for (const connection of this.#taken()) connection.begin();
  }

  /** The core that steers was heard of just now. */
  sendOn(): void {
    for (const connection of this.#taken()) connection.sendOn();
  }

  #taken(): HeldConnection[] {
    const all = [...this.#held.keys()];
    for (const connection of all) this.drop(connection);
    return all;
  }
}
