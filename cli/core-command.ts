/** `thalweg core`: runs the steering core until a signal. */
import type { Command } from 'commander';
import type { CliSession } from './session.ts';

export async function addCoreCommand(program: Command, session: CliSession, withFlags: boolean): Promise<void> {
  const command = program.command('core').description('run the steering core');
  if (!withFlags) return;
  const { coreConfigSchema, runCore } = await import('../steering/core-program.ts');
  const { addService } = await import('./service-command.ts');
  addService(command, session, { name: 'core', schema: coreConfigSchema, run: runCore });
}
