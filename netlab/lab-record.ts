/** A lab's state in memory and on disk: every change is written before the next step builds on it. */
import { type LabProcess, type LabState, linkKey, writeLabState } from './lab-state.ts';
import type { LinkShape } from './link-shape.ts';
import { isAlive } from './process-record.ts';
import type { NumberedLink } from './switch-rules.ts';

export class LabRecord {
  #state: LabState;
  #removed = false;

  constructor(state: LabState) {
    this.#state = state;
  }

  get state(): LabState {
    return this.#state;
  }

  change(patch: Partial<LabState>): void {
    if (this.#removed) return;
    this.#state = { ...this.#state, ...patch };
    writeLabState(this.#state);
  }

  /** The directory is gone: nothing is written from now on. */
  markRemoved(): void {
    this.#removed = true;
  }

  addProcess(process: LabProcess): void {
    this.change({ processes: [...this.#state.processes.filter(isAlive), process] });
  }

  /** The one running program of that role on that host. */
  runningProcess(role: LabProcess['role'], host: string): LabProcess | undefined {
    return this.#state.processes.find((p) => p.role === role && p.host === host && isAlive(p));
  }

  /** From 1; undefined: no such host. */
  numberOf(host: string): number | undefined {
    const index = this.#state.hosts.findIndex((h) => h.name === host);
    return index < 0 ? undefined : index + 1;
  }

  isPowered(host: string): boolean {
    return this.#state.hosts.some((h) => h.name === host && h.powered);
  }

  setPowered(host: string, powered: boolean): void {
    this.change({ hosts: this.#state.hosts.map((h) => (h.name === host ? { ...h, powered } : h)) });
  }

  setLink(from: string, to: string, shape: LinkShape): void {
    this.change({ links: { ...this.#state.links, [linkKey(from, to)]: shape } });
  }

  numberedLinks(): NumberedLink[] {
    const { hosts, links } = this.#state;
    return hosts.flatMap((from, i) =>
      hosts.flatMap((to, j) => {
        const shape = links[linkKey(from.name, to.name)];
        return i === j || shape === undefined ? [] : [{ from: i + 1, to: j + 1, shape }];
      }),
    );
  }
}
