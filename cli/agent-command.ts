/** `thalweg agent`: runs the agent of this node until a signal. `thalweg agent down`: takes it all away again. */
import { setFlagsFromString } from 'node:v8';
import type { Command } from 'commander';
import type { CliSession } from './session.ts';

const DEFAULT_STATE_DIR = '/var/lib/thalweg';

export async function addAgentCommand(program: Command, session: CliSession, withFlags: boolean): Promise<void> {
  const command = program.command('agent').description("run this node's agent (after `thalweg join`), or take it down");
  addDown(command, session);
  if (!withFlags) return;
  keepHeapSmall();
  const { agentConfigSchema, runAgent } = await import('../agent/agent-program.ts');
  const { addService } = await import('./service-command.ts');
  addService(command, session, { name: 'agent', schema: agentConfigSchema, run: runAgent });
}

/**
 * Before the agent's code is loaded: its young objects are few, and a young generation that stays at its first 1 MB instead of
 * growing with what loading leaves behind saves about 9 MB. So small a heap is collected by one thread faster than by the
 * five that V8 would wake for it. V8 takes these flags while it runs, unlike --max-semi-space-size and --single-threaded-gc.
 */
function keepHeapSmall(): void {
  for (const flag of HEAP_FLAGS) setFlagsFromString(flag);
}

const HEAP_FLAGS = [
  '--semi-space-growth-factor=1',
  '--no-parallel-scavenge',
  '--no-parallel-compaction',
  '--no-concurrent-marking',
  '--no-concurrent-sweeping',
  '--no-concurrent-array-buffer-sweeping',
];

function addDown(agent: Command, session: CliSession): void {
  const command = agent
    .command('down')
    .description('remove everything of Thalweg from the kernel; stops the agent first when it runs')
    .option('--forget', 'also delete the identity and the keys: this device will have to join again')
    .option('--state-dir <folder>', 'where the agent keeps its state', DEFAULT_STATE_DIR);
  command.action(async (options: { forget?: boolean; stateDir: string }) => {
    const global = session.read(command);
    const { agentDown } = await import('../agent/agent-down.ts');
    const report = await agentDown({ stateDir: options.stateDir, forget: options.forget === true });
    session.show(global, report, ({ changes }) =>
      changes.length === 0
        ? 'Nothing to remove: this machine holds nothing of Thalweg.\n'
        : `${changes.map((change) => `${change}\n`).join('')}Removed.${options.forget ? ' To join again: thalweg join TOKEN' : ''}\n`,
    );
  });
}
