/** BIRD's OSPF over the tunnels: see config/bird*.conf. */
import type { Contestant } from './contestant.ts';
import { RoutingDaemon } from './routing-daemon.ts';

export function bird(name: string, template: string): Contestant {
  return {
    name,
    configuration: `config/${template}`,
    needs: [
      { program: 'bird', debianPackage: 'bird2' },
      { program: 'birdc', debianPackage: 'bird2' },
    ],
    labSettings: { core: {}, agent: {} },
    plannedMove: 'cost',
    open: (lab, delayMs) =>
      new RoutingDaemon(
        lab,
        {
          template,
          argv: ({ config, socket }) => ['bird', '-f', '-c', config, '-s', socket],
          setDear: ({ socket }) => ({ argv: ['birdc', '-s', socket, 'configure'], rewrite: true }),
        },
        delayMs,
      ),
  };
}
