/** `thalweg agent down`: this host as if the overlay had never been there. */
// biome-ignore lint/style/noRestrictedImports: a command that waits must keep its process alive; the clock's timers do not
import { setTimeout as sleep } from 'node:timers/promises';
import { KernelOverlay } from '../overlay/kernel-overlay.ts';
import type { Overlay } from '../overlay/overlay-state.ts';
import { ThalwegError } from '../protocol/error.ts';
import { LEAVE_SIGNAL, runningAgent } from './agent-lock.ts';
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

/** The core lets a node go within 5 s and the agent waits 8 s for it; the rest is for a loaded device to end. */
const LEAVE_TIMEOUT_MS = 15_000;
/** An agent says goodbye within a second; a loaded device gets ten times that. */
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

export function agentDown(options: AgentDownOptions): Promise<AgentDownReport> {
  const { stateDir } = options;
  const privateKeyFile = new IdentityStore(stateDir).path('wireguard.key');
  return takeDown(options, KernelOverlay.open({ stateDir, privateKeyFile }));
}

/**
 * Has the agent that holds the state directory leave, so that no packet of others is on its way through this node when
 * all kernel state of ours is removed, and, asked to, the identity.
 */
export async function takeDown(
  { stateDir, forget }: AgentDownOptions,
  overlay: Pick<Overlay, 'remove'>,
): Promise<AgentDownReport> {
  const changes: string[] = [];
  const running = await runningAgent(stateDir);
  if (running !== undefined) {
    await endAgent(stateDir, running.pid);
    changes.push(`agent stop (process ${running.pid})`);
  }
  changes.push(...(await overlay.remove()).changes);
  if (forget) changes.push(...(await new IdentityStore(stateDir).forget()));
  return { changes };
}

async function endAgent(stateDir: string, pid: number): Promise<void> {
  signal(pid, LEAVE_SIGNAL);
  if (await hasEnded(stateDir, LEAVE_TIMEOUT_MS)) return;
  signal(pid, 'SIGTERM');
  if (await hasEnded(stateDir, STOP_TIMEOUT_MS)) return;
  throw new ThalwegError('timeout', `the running agent (process ${pid}) does not stop`, {
    fields: { pid },
    nextStep: `look at its log; if it hangs, end it with \`kill -9 ${pid}\` and run the command again`,
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ESRCH') return;
    throw new ThalwegError('missing_privilege', `not allowed to stop the running agent (process ${pid})`, {
      cause,
      fields: { pid },
      nextStep: 'run as root',
    });
  }
}

async function hasEnded(stateDir: string, withinMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += POLL_MS) {
    if ((await runningAgent(stateDir)) === undefined) return true;
    await sleep(POLL_MS);
  }
  return false;
}
