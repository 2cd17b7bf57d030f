/** `thalweg lab ...`: meshes of network namespaces on this machine. */
import type { Command } from 'commander';
import type { CliSession } from './session.ts';

export function addLabCommand(program: Command, _session: CliSession): void {
  program.command('lab').description('meshes of network namespaces on this machine');
}
