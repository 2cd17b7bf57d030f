/** `thalweg core ca status|rotate`: the CA of the mesh, and its replacement without a device that has to join again. */
import type { Command } from 'commander';
import type { CaView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { caPage } from './print/ca-page.ts';
import type { CliSession } from './session.ts';

export function addCaCommand(core: Command, session: CliSession): void {
  const ca = core.command('ca').description('the CA that vouches for the core and for every node');
  const status = ca.command('status').description('the CA, and how many nodes a rotation still waits for');
  status.action(async () => {
    const global = session.read(status);
    const view = await session.client(global).get<CaView>('/v1/ca');
    session.show(global, view, (value) => caPage(value, session.io.nowMs()));
  });
  const rotate = ca
    .command('rotate')
    .description('make a new CA and trust both; nodes move to it by themselves, and the old one goes when it is over')
    .option('--finish', 'trust the old one no more; refused while nodes need it')
    .option('--force', 'with --finish: also where nodes have to join again');
  rotate.action(async (options: { finish?: boolean; force?: boolean }) => {
    const global = session.read(rotate);
    if (options.force === true && options.finish !== true) {
      throw new ThalwegError('invalid_argument', '--force is given without --finish', {
        nextStep: 'a rotation that begins needs no force',
      });
    }
    const action = options.finish === true ? 'finish' : 'rotate';
    const view = await session.client(global).post<CaView>('/v1/ca', { action, force: options.force === true });
    session.show(global, view, (value) => caPage(value, session.io.nowMs()));
  });
}
