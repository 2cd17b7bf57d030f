/**
 * From arguments to an exit code. The tree of commands is made here; what a command does, and the code it needs, is
 * loaded when it runs: an agent on a small device never loads the core or the lab.
 */
import { type Argument, Command, CommanderError } from 'commander';
import { type ErrorObject, ThalwegError } from '../protocol/error.ts';
import { SOFTWARE_VERSION } from '../protocol/version.ts';
import { addAgentCommand } from './agent-command.ts';
import { addAuditCommand } from './audit-command.ts';
import type { CliIo } from './cli-io.ts';
import { closestWord } from './closest-word.ts';
import { addCompletionCommand } from './completion-command.ts';
import { addCoreCommand } from './core-command.ts';
import { addDemandCommand } from './demand-command.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { addJoinCommand } from './join-command.ts';
import { addKeyCommand } from './key-command.ts';
import { addLabCommand } from './lab-command.ts';
import { addLinkCommand } from './link-command.ts';
import { addLoadCommand } from './load-command.ts';
import { addLoadtestCommand } from './loadtest-command.ts';
import { addNodeCommand } from './node-command.ts';
import { addPathCommand } from './path-command.ts';
import { addPlanCommand } from './plan-command.ts';
import { addPolicyCommand } from './policy-command.ts';
import { addGlobalOptions, CliSession } from './session.ts';
import { addStatusCommand } from './status-command.ts';
import { addTokenCommand } from './token-command.ts';

/** Programs whose flags come from a config schema, which is loaded only for those named. */
export type FlagsOf = 'core' | 'agent';

/** Runs one command. Never throws; everything it says goes to `io`. Resolves with the exit code. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const session = new CliSession(io);
  let program: Command | undefined;
  try {
    program = await buildProgram(session, flagsNeeded(argv), argv.includes('--json'));
    await program.parseAsync([...argv], { from: 'user' });
    return session.exitCode;
  } catch (error) {
    return reportFailure(error, session, argv, program);
  }
}

/** The whole tree of commands. `quiet`: commander says nothing on stderr, because a program reads what is on stdout. */
export async function buildProgram(
  session: CliSession,
  flagsOf: ReadonlySet<FlagsOf>,
  quiet = false,
): Promise<Command> {
  const program = new Command('thalweg')
    .description('A WireGuard mesh that joins itself and moves traffic to the best path.')
    .version(SOFTWARE_VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => session.io.out(text),
      writeErr: (text) => (quiet ? undefined : session.io.err(text)),
      outputError: () => {}, // reportFailure prints it, as text or JSON
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  await addCoreCommand(program, session, flagsOf.has('core'));
  await addAgentCommand(program, session, flagsOf.has('agent'));
  addJoinCommand(program, session);
  addTokenCommand(program, session);
  addKeyCommand(program, session);
  addAuditCommand(program, session);
  addNodeCommand(program, session);
  addLinkCommand(program, session);
  addPathCommand(program, session);
  addPlanCommand(program, session);
  addPolicyCommand(program, session);
  addDemandCommand(program, session);
  addLoadCommand(program, session);
  addStatusCommand(program, session);
  addLabCommand(program, session);
  addLoadtestCommand(program, session);
  addCompletionCommand(program, session);
  forEachCommand(program, (command) => {
    addGlobalOptions(command);
    command.configureHelp({
      subcommandTerm: (child) => `${child.name()} ${child.registeredArguments.map(argumentTerm).join(' ')}`.trim(),
    });
  });
  return program;
}

export function forEachCommand(root: Command, visit: (command: Command) => void): void {
  visit(root);
  for (const child of root.commands) forEachCommand(child, visit);
}

function argumentTerm(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

/** Which program's schema these arguments need: `agent down` needs none. */
export function flagsNeeded(argv: readonly string[]): ReadonlySet<FlagsOf> {
  const words: string[] = [];
  for (let i = 0; i < argv.length && words.length < 3; i++) {
    const word = argv[i] ?? '';
    if (['--core', '--api-key-file', '--api-ca-file'].includes(word)) i++;
    else if (!word.startsWith('-')) words.push(word);
  }
  if (words[0] === 'help') words.shift();
  const [first, second] = words;
  if (first === 'completion') return new Set(['core', 'agent']);
  if (first === 'core') return new Set(['core']);
  if (first === 'agent' && second !== 'down') return new Set(['agent']);
  return new Set();
}

function reportFailure(error: unknown, session: CliSession, argv: readonly string[], program?: Command): number {
  const { io } = session;
  if (error instanceof CommanderError) {
    // Help and version that were asked for end with 0; help in place of a missing subcommand is a mistake.
    if (error.exitCode === 0) return EXIT.ok;
    if (error.code === 'commander.help') {
      if (argv.includes('--json')) io.out(`${JSON.stringify({ error: missingCommand(argv, program) })}\n`);
      return EXIT.usage;
    }
  }
  const object = errorObject(error, argv, program);
  if (session.json || argv.includes('--json')) io.out(`${JSON.stringify({ error: object })}\n`);
  else io.err(`thalweg: ${object.message}\n${object.nextStep === undefined ? '' : `  next: ${object.nextStep}\n`}`);
  if (object.code === 'internal' && error instanceof Error && io.env.THALWEG_DEBUG) io.err(`${error.stack}\n`);
  return exitCodeOf(object.code);
}

/** For a program to read; a person got the help instead. */
function missingCommand(argv: readonly string[], program: Command | undefined): ErrorObject {
  const words = ['thalweg', ...knownChain(argv, program)].join(' ');
  return { code: 'invalid_argument', message: `${words} needs a command`, nextStep: `see \`${words} --help\`` };
}

/** The command words that were understood: `token create` of `token create --us 3`. */
function knownChain(argv: readonly string[], program: Command | undefined): string[] {
  const chain: string[] = [];
  let at = program;
  for (const word of argv) {
    const next = at?.commands.find((command) => command.name() === word);
    if (next === undefined) continue;
    chain.push(word);
    at = next;
  }
  return chain;
}

/** Global options are hidden in help lists, where commander looks for its suggestions. */
function globalOptionNear(error: CommanderError): string | undefined {
  const flag = error.code === 'commander.unknownOption' ? /'(--[^'=]+)/.exec(error.message)?.[1] : undefined;
  return flag === undefined
    ? undefined
    : closestWord(flag, ['--json', '--core', '--api-key-file', '--api-ca-file', '--no-color']);
}

function errorObject(error: unknown, argv: readonly string[], program?: Command): ErrorObject {
  if (error instanceof ThalwegError) return error.toJSON();
  if (error instanceof CommanderError) {
    const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
    const hint = /Did you mean (?:one of )?(.+)\?/.exec(rest.join(' '))?.[1] ?? globalOptionNear(error);
    return {
      code: 'invalid_argument',
      message: hint === undefined ? first : `${first}; did you mean ${hint}?`,
      nextStep: `see \`thalweg ${[...knownChain(argv, program), '--help'].join(' ')}\``,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, nextStep: 'run it again with THALWEG_DEBUG=1 and report what it prints' };
}
