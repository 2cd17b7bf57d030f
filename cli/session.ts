/** What one run of the CLI carries through its commands: the io, the global options, and the exit code. */
import { type Command, Option } from 'commander';
import { ApiClient } from '../protocol/api-client.ts';
import type { CliIo } from './cli-io.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { Paint } from './print/paint.ts';

export const DEFAULT_CORE = 'unix:/run/thalweg/core.sock';

export class CliSession {
  readonly io: CliIo;
  exitCode: ExitCode | number = EXIT.ok;
  #json = false;

  constructor(io: CliIo) {
    this.io = io;
  }

  /** Reads the global options that a command was given, before or after its name. Call it first in each action. */
  read(command: Command): GlobalOptions {
    const json = given(command, 'json') === true;
    this.#json = json;
    const core = given(command, 'core') ?? this.io.env.THALWEG_CORE ?? DEFAULT_CORE;
    const colour = this.io.colour && given(command, 'color') !== false;
    return { json, core: String(core), colour, paint: new Paint(colour) };
  }

  /** True once an action was entered with --json. */
  get json(): boolean {
    return this.#json;
  }

  client(options: GlobalOptions): ApiClient {
    return new ApiClient(options.core);
  }

  /** With --json the value as one line of JSON, otherwise what `page` makes of it. */
  show<T>(options: GlobalOptions, value: T, page: (value: T) => string): void {
    this.io.out(options.json ? `${JSON.stringify(value)}\n` : page(value));
  }
}

export interface GlobalOptions {
  readonly json: boolean;
  /** `unix:/path` or `http://host:port`. */
  readonly core: string;
  readonly colour: boolean;
  readonly paint: Paint;
}

/** Adds --json, --core and --no-color: every command has them, so that they may stand before or after its name. */
export function addGlobalOptions(command: Command): void {
  for (const [flags, description] of GLOBAL_FLAGS) command.addOption(new Option(flags, description).hideHelp());
  const width = Math.max(...GLOBAL_FLAGS.map(([flags]) => flags.length));
  const lines = GLOBAL_FLAGS.map(([flags, description]) => `  ${flags.padEnd(width)}  ${description}`);
  command.addHelpText('after', `\nGlobal options, before or after any command:\n${lines.join('\n')}`);
}

const GLOBAL_FLAGS = [
  ['--json', 'print JSON: the answer as one line, errors as {"error": …}'],
  ['--core <target>', 'unix:/path or http://host:port (default: $THALWEG_CORE or the local core)'],
  ['--no-color', 'no colours, as with $NO_COLOR'],
] as const;

/** The value of an option that was really given, at the command or one above it. */
function given(command: Command, name: string): unknown {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    if (at.getOptionValueSource(name) === 'cli') return at.getOptionValue(name);
  }
  return undefined;
}
