/**
 * Connections of agents at a core that neither steers nor has a link to the one that does. They wait here, unread, until it has one,
 * or steers itself; where that takes long, they are sent on to other cores.
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
  #isServing = false;
  readonly #held = new Map<HeldConnection, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Deals with the connection now, or when sessions may begin. */
  take(connection: HeldConnection): void {
    if (this.#isServing) connection.begin();
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

  /** They may not at the moment: who comes now waits. */
  doubt(): void {
    this.#isServing = false;
  }

  /** Sessions may begin from now on: this core steers, or has a link to the one that does. */
  begin(): void {
    this.#isServing = true;
    for (const connection of this.#taken()) connection.begin();
  }

  /** There will be no link soon: others may have one. */
  sendOn(): void {
    for (const connection of this.#taken()) connection.sendOn();
  }

  #taken(): HeldConnection[] {
    const all = [...this.#held.keys()];
    for (const connection of all) this.drop(connection);
    return all;
  }
}
