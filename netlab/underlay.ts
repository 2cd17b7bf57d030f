/** The underlay's port: what a lab asks of a link driver. Hosts are known by number, from 1. */
import type { LabProcess } from './lab-state.ts';
import type { NumberedLink } from './switch-rules.ts';

export interface UnderlayHost {
  readonly number: number;
  readonly name: string;
  readonly namespace: string;
}

export interface Underlay {
  /**
   * Builds switch or wire in the `net` namespace and puts an `eth0`, down and without address, into every host's
   * namespace. Reports each process it starts at once, so that it is on record before the next step.
   */
  build(hosts: readonly UnderlayHost[], onProcess: (process: LabProcess) => void): Promise<void>;
  /** For the next frame of these links. `all`: every link of the lab as it now is, the changed ones included. */
  setLinks(changed: readonly NumberedLink[], all: readonly NumberedLink[]): Promise<void>;
  /** Before eth0 of this host goes down, and after it is up. */
  setPort(host: number, up: boolean): Promise<void>;
}
