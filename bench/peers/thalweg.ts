/** Thalweg as one of the contestants: core and agents as in any lab. */
import type { Lab, LabSpec } from '../../netlab/lab.ts';
import type { NodeView, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Contestant, OpenContestant } from './contestant.ts';

export function thalweg(name: string, configuration: string, labSettings: Pick<LabSpec, 'core' | 'agent'>): Contestant {
  return {
    name,
    configuration,
    needs: [],
    periodMs: 1_000,
    labSettings,
    plannedMove: 'delay',
    open: (lab) => new ThalwegMesh(lab),
  };
}

class ThalwegMesh implements OpenContestant {
  readonly #lab: Lab;
  readonly #api: ApiClient;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#api = new ApiClient(lab.apiTarget);
  }

  async start(): Promise<void> {
    const hosts = this.#lab.hosts.map(({ name }) => name);
    await this.#lab.startCore();
    await Promise.all(hosts.map((host) => this.#lab.join(host)));
    await Promise.all(hosts.map((host) => this.#lab.startAgent(host)));
  }

  async addressOf(host: string): Promise<string> {
    return (await this.#api.get<NodeView>(`/v1/nodes/${host}`)).node4;
  }

  async isDirect(from: string, to: string): Promise<boolean> {
    const path = await this.#path(from, to);
    return path.join() === [from, to].join();
  }

  async reaches(from: string, to: string): Promise<boolean> {
    return (await this.#path(from, to)).length > 1;
  }

  /** The lab started the agent of a host that has joined when it gave the power back. */
  async revive(): Promise<void> {}

  async setDear(): Promise<void> {
    throw new ThalwegError('internal', 'Thalweg has no costs to set: it moves traffic when a link changes');
  }

  /** Empty: none that is installed. */
  async #path(from: string, to: string): Promise<readonly string[]> {
    const view = await this.#api.get<PathView>(`/v1/paths/${from}/${to}`);
    return view.installed && view.cost !== null ? view.path : [];
  }
}
