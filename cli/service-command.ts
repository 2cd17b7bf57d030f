/** A long-running program as a command: flags from its schema, its config, its log, and its run until a signal. */
import type { Command } from 'commander';
import type { z } from 'zod';
import type { Logger } from '../protocol/log.ts';
import { configFields } from './config-fields.ts';
import { addConfigFlags, givenFlags } from './config-flags.ts';
import type { LogLevel } from './log.ts';
import type { RunningService } from './service.ts';
import type { CliSession } from './session.ts';

export interface ServiceProgram<Config> {
  /** Names its process (`thalweg-core`) and stands in every line of its log. */
  readonly name: string;
  readonly schema: z.ZodType<Config>;
  readonly run: (config: Config, deps: { readonly log: Logger }) => Promise<RunningService>;
}

/** Gives `command` the flags of the program's config and has it run the program. */
export function addService<Config extends { readonly logLevel: LogLevel }>(
  command: Command,
  session: CliSession,
  { name, schema, run }: ServiceProgram<Config>,
): void {
  const fields = configFields(schema);
  addConfigFlags(command, fields);
  command.action(async () => {
    session.read(command);
    // What only a run needs is loaded by a run, not by --help.
    const { loadConfig } = await import('./config-load.ts');
    const { createLogger } = await import('./log.ts');
    const { runService } = await import('./service.ts');
    const config = await loadConfig(schema, command.getOptionValue('config'), givenFlags(command, fields));
    process.title = `thalweg-${name}`;
    const log = createLogger(name, config.logLevel);
    session.exitCode = await runService({ io: session.io, log }, () => run(config, { log }));
  });
}
