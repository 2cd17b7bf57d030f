/** What one run of the CLI carries through its commands: the io, the global options, and the exit code. */
import { type Command, Option } from 'commander';
import { ApiClient } from '../protocol/api-client.ts';
import type { CliIo } from './cli-io.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { Paint } from './print/paint.ts';
import { readSmallFile } from './small-file.ts';

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
    const keyFile = given(command, 'apiKeyFile') ?? this.io.env.THALWEG_API_KEY_FILE;
    const caFile = given(command, 'apiCaFile') ?? this.io.env.THALWEG_API_CA_FILE;
    return {
      json,
      core: String(core),
      colour,
      paint: new Paint(colour),
      keyFile: keyFile === undefined || keyFile === '' ? undefined : String(keyFile),
      caFile: caFile === undefined || caFile === '' ? undefined : String(caFile),
    };
  }

  /** True once an action was entered with --json. */
  get json(): boolean {
    return this.#json;
  }

  client(options: GlobalOptions): ApiClient {
    const { core, keyFile, caFile } = options;
    if (core.startsWith('unix:')) return new ApiClient(core);
    // A file that was named wins over the environment, where a key may be left over from something else.
    const key = keyFile === undefined ? this.io.env.THALWEG_API_KEY : readSmallFile('--api-key-file', keyFile);
    const ca = caFile === undefined ? undefined : readSmallFile('--api-ca-file', caFile);
    return new ApiClient(core, { key: key?.trim() || undefined, ca });
  }

  /** With --json the value as one line of JSON, otherwise what `page` makes of it. */
  show<T>(options: GlobalOptions, value: T, page: (value: T) => string): void {
    this.io.out(options.json ? `${JSON.stringify(value)}\n` : page(value));
  }
}

export interface GlobalOptions {
  readonly json: boolean;
  /** `unix:/path`, `http://host:port` or `https://host:port`. */
  readonly core: string;
  /** File with an API key, and with the CA of the core's API certificate. A key is never an argument. */
  readonly keyFile: string | undefined;
  readonly caFile: string | undefined;
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
  ['--core <target>', 'unix:/path, http://host:port or https://host:port (default: $THALWEG_CORE or the local core)'],
  [
    '--api-key-file <file>',
    'file with the API key for --core http(s):// (default: $THALWEG_API_KEY_FILE, $THALWEG_API_KEY)',
  ],
  ['--api-ca-file <file>', "PEM of the CA of the core's API certificate (default: $THALWEG_API_CA_FILE)"],
  ['--no-color', 'no colours, as with $NO_COLOR'],
] as const;

/** The value of an option that was really given, at the command or one above it. */
function given(command: Command, name: string): unknown {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    if (at.getOptionValueSource(name) === 'cli') return at.getOptionValue(name);
  }
  return undefined;
}
