/** `thalweg join`: makes this device a node. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { ThalwegError } from '../protocol/error.ts';
import { parseNodeName } from '../protocol/identifier.ts';
import { parseJoinToken } from '../protocol/join-token.ts';
import type { CliSession } from './session.ts';

const DEFAULT_STATE_DIR = '/var/lib/thalweg';

/** The command that starts the agent on what was just joined. */
function agentLine(stateDir: string): string {
  return stateDir === DEFAULT_STATE_DIR ? 'thalweg agent' : `thalweg agent --state-dir ${stateDir}`;
}

export function addJoinCommand(program: Command, session: CliSession): void {
  const command = program
    .command('join')
    .description('join the mesh with a token from `thalweg token create`')
    .argument('[token]', 'the token, or - to read it from standard input (keeps it out of the process list)')
    .option('--token-file <file>', 'read the token from a file')
    .option('--name <name>', "this node's name (default: the host's name)")
    .option('--state-dir <folder>', 'where the agent keeps its state', DEFAULT_STATE_DIR);
  command.action(
    async (argument: string | undefined, options: { tokenFile?: string; name?: string; stateDir: string }) => {
      const global = session.read(command);
      const token = await readToken(session, argument, options.tokenFile);
      const checked = parseJoinToken(token);
      if (!checked.ok) {
        throw new ThalwegError('token_malformed', checked.reason, {
          nextStep: 'copy the whole line that `thalweg token create` printed',
        });
      }
      if (options.name !== undefined) {
        const name = parseNodeName(options.name);
        if (!name.ok) {
          throw new ThalwegError('invalid_argument', `--name ${options.name}: ${name.reason}`, {
            nextStep: 'pass another --name',
          });
        }
      }
      const { joinNode } = await import('../agent/join.ts');
      const joined = await joinNode({
        token,
        stateDir: options.stateDir,
        ...(options.name === undefined ? {} : { name: options.name }),
      });
      session.show(
        global,
        joined,
        (node) =>
          `Joined as ${node.name}: ${node.node4}, ${node.node6} (tunnel ${node.tunnelAddress}).\nStart the agent: ${agentLine(options.stateDir)}\n`,
      );
    },
  );
}

/** Exactly one of the three ways. The token never appears in a message. */
async function readToken(session: CliSession, argument: string | undefined, file: string | undefined): Promise<string> {
  if ((argument === undefined) === (file === undefined)) {
    throw new ThalwegError(
      'invalid_argument',
      argument === undefined ? 'join needs a token' : 'a token and --token-file at once',
      {
        nextStep: 'pass one of: the token, - for standard input, --token-file FILE',
      },
    );
  }
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (cause) {
      throw new ThalwegError('invalid_argument', `--token-file ${file}: ${(cause as Error).message}`, {
        cause,
        nextStep: 'name a file that holds the token',
      });
    }
  }
  return argument === '-' ? (await session.io.readInput()).trim() : (argument ?? '');
}
