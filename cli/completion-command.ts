/** `thalweg completion bash|zsh|fish`: a script that completes commands and flags, made from the tree of commands. */
import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from './completion-script.ts';
import type { CliSession } from './session.ts';

export function addCompletionCommand(program: Command, session: CliSession): void {
  const command = program
    .command('completion')
    .description('print a completion script: source <(thalweg completion bash)')
    .addArgument(new Argument('<shell>', 'which shell').choices([...SHELLS]));
  command.action((shell: Shell) => {
    session.read(command);
    session.io.out(completionScript(shell, program));
  });
}
