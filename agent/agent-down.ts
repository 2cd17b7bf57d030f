/** `thalweg agent down`: this host as if the overlay had never been there. */
// biome-ignore lint/style/noRestrictedImports: a command that waits must keep its process alive; the clock's timers do not
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelOverlay } from '../overlay/kernel-overlay.ts';
import type { Overlay } from '../overlay/overlay-state.ts';
import { ThalwegError } from '../protocol/error.ts';
import { runningAgent } from './agent-lock.ts';
import { IdentityStore } from './identity.ts';

export interface AgentDownOptions {
  readonly stateDir: string;
  /** Also delete the identity and the keys: to come back the device needs a new token. */
  readonly forget: boolean;
}

export interface AgentDownReport {
  /** One line per change; empty where there was nothing of ours. */
  readonly changes: readonly string[];
}

/** An agent says goodbye within a second; a loaded device gets ten times that. */
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

export function agentDown(options: AgentDownOptions): Promise<AgentDownReport> {
  const { stateDir } = options;
  const privateKeyFile = new IdentityStore(stateDir).path('wireguard.key');
  return takeDown(options, KernelOverlay.open({ stateDir, privateKeyFile }));
}

/** Stops the agent that holds the state directory, removes all kernel state of ours and, asked to, the identity. */
export async function takeDown(
  { stateDir, forget }: AgentDownOptions,
  overlay: Pick<Overlay, 'remove'>,
): Promise<AgentDownReport> {
  const changes: string[] = [];
  const running = await runningAgent(stateDir);
  if (running !== undefined) {
    await stopAgent(stateDir, running.pid);
    changes.push(`agent stop (process ${running.pid})`);
  }
  changes.push(...(await overlay.remove()).changes);
  if (forget) changes.push(...(await new IdentityStore(stateDir).forget()));
  return { changes };
}

async function stopAgent(stateDir: string, pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    throw new ThalwegError('missing_privilege', `not allowed to stop the running agent (process ${pid})`, {
      cause,
      fields: { pid },
      nextStep: 'run as root',
    });
  }
  for (let waitedMs = 0; waitedMs < STOP_TIMEOUT_MS; waitedMs += POLL_MS) {
    if ((await runningAgent(stateDir)) === undefined) return;
    await sleep(POLL_MS);
  }
  throw new ThalwegError('timeout', `the running agent (process ${pid}) does not stop`, {
    fields: { pid },
    nextStep: `look at its log; if it hangs, end it with \`kill -9 ${pid}\` and run the command again`,
  });
}
