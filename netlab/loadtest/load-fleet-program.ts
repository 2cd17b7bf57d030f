/** A process of simulated agents; its parent speaks to it over the channel of node:child_process, and its end is its end. */
import { systemClock } from '../../protocol/clock.ts';
import { monoUs } from '../mono-us.ts';
import { type FleetAnswer, type FleetCommand, LoadFleet } from './load-fleet.ts';

const fleet = new LoadFleet({ clock: systemClock, monoUs, random: Math.random });

process.on('message', (command: FleetCommand) => {
  switch (command.kind) {
    case 'start':
      void fleet.start(command);
      return;
    case 'link':
      fleet.changeLink(command.a, command.b, command.state);
      return;
    case 'watch':
      fleet.tally.begin(command.link);
      return;
    case 'collect': {
      const { user, system } = process.cpuUsage();
      const answer: FleetAnswer = { kind: 'tally', tally: fleet.tally.snapshot(), cpuUs: user + system };
      process.send?.(answer);
      return;
    }
    default:
      command satisfies never;
  }
});
process.on('disconnect', () => process.exit(0));
