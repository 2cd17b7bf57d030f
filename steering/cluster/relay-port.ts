/** How cores send each other packets: at most once, in the order of each sender, to whoever listens now. */

export interface RelayListener {
  /** That core steers, by its own word, with this term; told again and again as long as it does. */
  solver(core: string, term: number): void;
  /** For this core as the solver. The packet is the listener's own. */
  fromHolder(core: string, packet: Uint8Array): void;
  /** For this core as a holder. The packet is the listener's own. */
  fromSolver(packet: Uint8Array): void;
}

export interface RelayPort {
  /** Of this process alone. */
  readonly core: string;
  /** False: what is sent goes nowhere, since no server is reached. */
  readonly isConnected: boolean;
  /** Once. Everything that comes is told to the listener, never from within a call of this port. */
  join(listener: RelayListener): void;
  /** This core steers from now on: it is announced for as long as it holds the lease of that term. */
  serve(term: number): void;
  toSolver(term: number, packet: Uint8Array): void;
  /** Goes out only while the lease is held, and waits a little where it is not at this moment. */
  toHolder(core: string, packet: Uint8Array): void;
}
