/** `thalweg core`: runs the steering core until a signal. */
import type { Command } from 'commander';
import { addConfigFlags, givenFlags } from './config-flags.ts';
import type { CliSession } from './session.ts';

export async function addCoreCommand(program: Command, session: CliSession, withFlags: boolean): Promise<void> {
  const command = program.command('core').description('run the steering core');
  if (!withFlags) return;
  const { coreConfigSchema, runCore } = await import('../steering/core-program.ts');
  const { configFields } = await import('./config-fields.ts');
  const fields = configFields(coreConfigSchema);
  addConfigFlags(command, fields);
  command.action(async () => {
    session.read(command);
    const { loadConfig } = await import('./config-load.ts');
    const { createLogger } = await import('./log.ts');
    const { runService } = await import('./service.ts');
    const config = await loadConfig(coreConfigSchema, command.getOptionValue('config'), givenFlags(command, fields));
    process.title = 'thalweg-core';
    const log = createLogger('core', config.logLevel);
    session.exitCode = await runService({ io: session.io, log }, () => runCore(config, { log }));
  });
}
