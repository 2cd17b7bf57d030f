/** What steers traffic in the comparison: Thalweg itself, or a routing daemon over plain WireGuard tunnels. */
import type { Lab, LabSpec } from '../../netlab/lab.ts';

export interface Contestant {
  readonly name: string;
  /** Configuration in this folder, or how Thalweg is set. */
  readonly configuration: string;
  /** Programs that it needs, with the Debian package that has each. */
  readonly needs: readonly { readonly program: string; readonly debianPackage: string }[];
  /** Of its slowest hellos or probes: failures come at any moment of it. */
  readonly periodMs: number;
  /** Settings of the core and the agents; only Thalweg has any. */
  readonly labSettings: Pick<LabSpec, 'core' | 'agent'>;
  /** How an operator moves traffic off a link that is still up. */
  readonly plannedMove: 'cost' | 'delay';
  /** `delayMs`: RTT of each link as it was measured when the configuration was written. */
  open(lab: Lab, delayMs: (from: string, to: string) => number): OpenContestant;
}

export interface OpenContestant {
  /** Starts it on every host. Throws command_failed and what the lab throws. */
  start(): Promise<void>;
  /** Where the host's applications are reached. */
  addressOf(host: string): Promise<string>;
  /** True when `from` now reaches `to` by the link between them. */
  isDirect(from: string, to: string): Promise<boolean>;
  /** True when `from` has a way to `to`. */
  reaches(from: string, to: string): Promise<boolean>;
  /** A host that lost its power has it again: starts what ran there. */
  revive(host: string): Promise<void>;
  /** For `plannedMove: 'cost'`: makes the link dear at both ends, or as it was. */
  setDear(a: string, b: string, dear: boolean): Promise<void>;
}
