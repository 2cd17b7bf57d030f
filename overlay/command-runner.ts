/**
 * Runs the system's own programs (`ip`, `wg`, `nft`): an argument vector, never a shell line; LC_ALL=C; secrets on
 * stdin only. The port; `ShellRunner` and `ProcessRunner` are the adapters, test/fake has a kernel that answers instead.
 */
import { ThalwegError } from '../protocol/error.ts';
import { PLANE_DEVICES } from './overlay-names.ts';

export interface CommandOptions {
  /** Written to the program's standard input, which is then closed. */
  readonly stdin?: string;
  /** Default 20,000 ms: 10,000 routes in one batch take under one second on a loaded machine. */
  readonly timeoutMs?: number;
  /** Extra environment; nothing but PATH, LC_ALL and what bounds a Go program (GOMAXPROCS, GOGC) is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Added to our own niceness, so less is sooner; of a daemon also its session's group. Without effect where we may not. */
  readonly niceness?: number;
  /** The program starts a daemon that shall outlive us: it gets a session of its own, so no terminal signal reaches it. */
  readonly daemon?: boolean;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that keeps running and prints lines. */
export interface CommandStream {
  /** Ends the program. Idempotent; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface CommandRunner {
  /** Runs to the end, whatever the exit code. Throws missing_program, or command_failed on a timeout or on output over 256 MiB. */
  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts a program; `onEnd` is called once when it has ended by itself or could not be started. */
  stream(argv: readonly string[], onLine: (line: string) => void, onEnd: () => void): CommandStream;
}

/** Debian's package of each program that we run. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
  perl: 'perl-base',
};

export function missingProgram(program: string): ThalwegError {
  const name = PACKAGES[program] ?? program;
  return new ThalwegError('missing_program', `the program ${program} is not installed`, {
    fields: { program },
    nextStep: `install it: apt-get install ${name}`,
  });
}

/** Runs and throws command_failed (or what the kernel's words mean) unless the exit code is 0. Returns stdout. */
export async function runChecked(
  runner: Pick<CommandRunner, 'run'>,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await runner.run(argv, options);
  if (result.exitCode !== 0) throw commandFailure(argv, result, options.stdin);
  return result.stdout;
}

/** The error for a command that ended with a code other than 0. Names the line of the batch that failed. */
export function commandFailure(argv: readonly string[], result: CommandResult, stdin = ''): ThalwegError {
  const program = argv[0] ?? '';
  const lines = result.stderr.split('\n').filter((line) => line.trim() !== '');
  const said = (lines[0] ?? 'no message').slice(0, 300);
  const batchLine = Number(/Command failed -:(\d+)/.exec(result.stderr)?.[1] ?? 0);
  const command = batchLine > 0 ? stdin.split('\n')[batchLine - 1] : undefined;
  const fields = { program, exitCode: result.exitCode, ...(command === undefined ? {} : { command }) };
  if (/Address already in use/i.test(result.stderr)) {
    const { what, port, instead } = portWanted(argv, command);
    return new ThalwegError('port_in_use', `${what} is in use by another program (${program}: ${said})`, {
      fields: { ...fields, ...(port === undefined ? {} : { port }) },
      nextStep: `find it with \`ss -ulpn${port === undefined ? '' : ` sport = :${port}`}\` and ${instead}`,
    });
  }
  if (/Operation not permitted|Permission denied/i.test(result.stderr)) {
    return new ThalwegError('missing_privilege', `${program} was refused: ${said}`, {
      fields,
      nextStep: 'run as root or with CAP_NET_ADMIN',
    });
  }
  const where = command === undefined ? '' : ` (at: ${command})`;
  return new ThalwegError('command_failed', `${program} ended with exit code ${result.exitCode}: ${said}${where}`, {
    fields,
  });
}

/** Which UDP port a refused command was to open: WireGuard's stands in its arguments, a detour's belongs to its device. */
function portWanted(
  argv: readonly string[],
  command = '',
): { readonly what: string; readonly port?: number; readonly instead: string } {
  const detour = Object.values(PLANE_DEVICES).find(({ device }) => command.split(' ').includes(device));
  if (detour !== undefined) {
    const { device, port } = detour;
    return { what: `UDP port ${port}, which detours (${device}) need,`, port, instead: 'stop it: this port is fixed' };
  }
  const instead = 'stop it, or choose another port with --listen-port';
  const port = Number(argv[argv.indexOf('listen-port') + 1]);
  if (!argv.includes('listen-port') || !Number.isInteger(port)) return { what: "WireGuard's UDP port", instead };
  return { what: `WireGuard's UDP port ${port}`, port, instead };
}
