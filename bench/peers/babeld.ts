/** babeld over the tunnels: see config/babeld*.conf. */
import type { Contestant } from './contestant.ts';
import { DEAR_COST, RoutingDaemon } from './routing-daemon.ts';

/** babeld's own cost of a wired link or tunnel. */
const OWN_COST = 96;
/**
 * Of the links of the way round. A neighbour that is not nearer to the target than we are is no feasible successor (RFC 8966,
 * section 3.5.1): with equal costs babeld has to ask for a new sequence number before it may go round, which took two hello
 * intervals more. Cheaper links than the direct one make both ways round feasible at once.
 */
const ROUND_COST = 64;
const DIRECT = ['a', 'b'];

export function babeld(
  name: string,
  template: string,
  periodMs: number,
  plannedMove: Contestant['plannedMove'],
): Contestant {
  return {
    name,
    configuration: `config/${template}`,
    needs: [
      { program: 'babeld', debianPackage: 'babeld' },
      { program: 'socat', debianPackage: 'socat' },
    ],
    periodMs,
    labSettings: { core: {}, agent: {} },
    plannedMove,
    open: (lab, delayMs) =>
      new RoutingDaemon(
        lab,
        {
          template,
          argv: ({ config, state }) => ['babeld', '-c', config, '-S', state, '-I', ''],
          cost: (host, peer) => (DIRECT.includes(host) && DIRECT.includes(peer) ? OWN_COST : ROUND_COST),
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
