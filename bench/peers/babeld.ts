/** babeld over the tunnels: see config/babeld*.conf. */
import type { Contestant } from './contestant.ts';
import { RoutingDaemon } from './routing-daemon.ts';

/** babeld's own cost of a wired link or tunnel, and one that is dearer than any two hops here. */
const OWN_COST = 96;
const DEAR_COST = 4096;

export function babeld(name: string, template: string, plannedMove: Contestant['plannedMove']): Contestant {
  return {
    name,
    configuration: `config/${template}`,
    needs: [
      { program: 'babeld', debianPackage: 'babeld' },
      { program: 'socat', debianPackage: 'socat' },
    ],
    labSettings: { core: {}, agent: {} },
    plannedMove,
    open: (lab, delayMs) =>
      new RoutingDaemon(
        lab,
        {
          template,
          argv: ({ config, state }) => ['babeld', '-c', config, '-S', state, '-I', ''],
          // An interface can be told another cost while it runs; the socket answers `ok`.
          setDear: ({ socket }, peer, dear) => ({
            argv: ['socat', '-t', '0.2', '-', `UNIX-CONNECT:${socket}`],
            stdin: `interface w-${peer} rxcost ${dear ? DEAR_COST : OWN_COST}\nquit\n`,
          }),
        },
        delayMs,
      ),
  };
}
