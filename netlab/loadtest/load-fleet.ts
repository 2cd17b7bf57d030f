/** The simulated agents of one process: joins them a few at a time, and does what the parent asks. */
import type { Clock } from '../../protocol/clock.ts';
import { LoadAgent } from './load-agent.ts';
import { LoadDoor } from './load-door.ts';
import { type ChangedLink, LoadTally, type TallySnapshot } from './load-tally.ts';
import { type LinkState, LoadUnderlay } from './load-underlay.ts';

/** What the parent says to a process of agents. */
export type FleetCommand =
  | {
      readonly kind: 'start';
      readonly token: string;
      readonly agents: number;
      /** Of the cores: the first one for joining, sessions at each in turn; default: the token's. */
      readonly ports?: readonly number[];
      readonly transit: boolean;
      readonly leafCapacity: number;
      /** Joins under way at a time. */
      readonly window: number;
    }
  | { readonly kind: 'link'; readonly a: number; readonly b: number; readonly state: LinkState | null }
  | { readonly kind: 'watch'; readonly link: ChangedLink }
  | { readonly kind: 'collect' };

/** Its answer to `collect`. */
export interface FleetAnswer {
  readonly kind: 'tally';
  readonly tally: TallySnapshot;
  /** Processor time of the process since it started, in microseconds. */
  readonly cpuUs: number;
}

export interface LoadFleetDeps {
  readonly clock: Clock;
  readonly monoUs: () => number;
  readonly random: () => number;
}

export class LoadFleet {
  readonly tally = new LoadTally();
  readonly #deps: LoadFleetDeps;
  readonly #underlay = new LoadUnderlay();
  readonly #agents: LoadAgent[] = [];
  #door: LoadDoor | undefined;

  constructor(deps: LoadFleetDeps) {
    this.#deps = deps;
  }

  /** Joins agents and opens their sessions; resolves when all have joined. Throws when the core is not on loopback. */
  async start(command: Extract<FleetCommand, { kind: 'start' }>): Promise<void> {
    this.#door ??= await LoadDoor.make(command.token);
    const door = command.ports === undefined ? this.#door : this.#door.through(...command.ports);
    const { tally } = this;
    const deps = { ...this.#deps, door, underlay: this.#underlay, tally };
    const { transit, leafCapacity } = command;
    let left = command.agents;
    const worker = async () => {
      while (left > 0) {
        left--;
        const agent = new LoadAgent(deps, { transit, leafCapacity });
        this.#agents.push(agent);
        await agent.join();
        agent.connect();
      }
    };
    await Promise.all(Array.from({ length: Math.min(command.window, command.agents) }, worker));
  }

  /** Both ends that live here say that their link is another. */
  changeLink(a: number, b: number, state: LinkState | null): void {
    this.#underlay.change(a, b, state);
    for (const agent of this.#agents) {
      if (agent.index === a) agent.linkChanged(b);
      else if (agent.index === b) agent.linkChanged(a);
    }
  }

  /** Idempotent. */
  stop(): void {
    for (const agent of this.#agents) agent.stop();
  }
}
