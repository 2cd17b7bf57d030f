/** `thalweg core`: runs the steering core until a signal; `core backup` and `core restore` keep and put back its store, `core ca` replaces its CA. */
import type { Command } from 'commander';
import { addCaCommand } from './ca-command.ts';
import { backupPage, restorePage } from './print/backup-page.ts';
import type { CliSession } from './session.ts';

const DEFAULT_STATE_DIR = '/var/lib/thalweg-core';

export async function addCoreCommand(program: Command, session: CliSession, withFlags: boolean): Promise<void> {
  const command = program
    .command('core')
    .description('run the steering core, keep and put back its store, replace its CA');
  addBackup(command, session);
  addRestore(command, session);
  addCaCommand(command, session);
  if (!withFlags) return;
  const { coreConfigSchema, runCore } = await import('../steering/core-program.ts');
  const { addService } = await import('./service-command.ts');
  addService(command, session, { name: 'core', schema: coreConfigSchema, run: runCore });
}

function addBackup(core: Command, session: CliSession): void {
  const command = core
    .command('backup')
    .description('write the store and the CA key to one file, while the core runs; the file is a secret')
    .argument('<file>', 'a file that is not there yet')
    .option('--state-dir <folder>', 'where the core keeps its state', DEFAULT_STATE_DIR);
  command.action(async (file: string, options: { stateDir: string }) => {
    const global = session.read(command);
    const { backupStore } = await import('../steering/store/backup.ts');
    session.show(global, backupStore(options.stateDir, file, session.io.nowMs()), backupPage);
  });
}

function addRestore(core: Command, session: CliSession): void {
  const command = core
    .command('restore')
    .description(
      'put a backup in the place of the store of a core that is stopped; what was removed since stays removed',
    )
    .argument('<file>', 'what `core backup` wrote')
    .option('--state-dir <folder>', 'where the core keeps its state', DEFAULT_STATE_DIR);
  command.action(async (file: string, options: { stateDir: string }) => {
    const global = session.read(command);
    const { restoreStore } = await import('../steering/store/restore.ts');
    session.show(global, restoreStore(file, options.stateDir, session.io.nowMs()), restorePage);
  });
}
