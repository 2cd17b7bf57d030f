/** BIRD's OSPF over the tunnels: see config/bird*.conf. */
import type { Contestant } from './contestant.ts';
import { RoutingDaemon } from './routing-daemon.ts';

/** OSPF's own cost of an interface in BIRD. */
const OWN_COST = 10;
/** Ten a millisecond of RTT, the usual way to make OSPF follow latency: as fine as 0.1 ms. */
const COST_PER_MS = 10;

export function bird(name: string, template: string, periodMs: number): Contestant {
  return {
    name,
    configuration: `config/${template}`,
    needs: [
      { program: 'bird', debianPackage: 'bird2' },
      { program: 'birdc', debianPackage: 'bird2' },
    ],
    periodMs,
    labSettings: { core: {}, agent: {} },
    plannedMove: 'cost',
    open: (lab, delayMs) =>
      new RoutingDaemon(
        lab,
        {
          template,
          argv: ({ config, socket }) => ['bird', '-f', '-c', config, '-s', socket],
          cost: (_host, _peer, rttMs) => (rttMs === 0 ? OWN_COST : Math.max(1, Math.round(rttMs * COST_PER_MS))),
          setDear: ({ socket }) => ({ argv: ['birdc', '-s', socket, 'configure'], rewrite: true }),
        },
        delayMs,
      ),
  };
}
