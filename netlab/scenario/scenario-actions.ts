/** Carries out one event of a scenario on a lab. */
import { programFile } from '../../protocol/program-file.ts';
import type { RunLab } from './run-lab.ts';
import { pairKey, type Scenario, type ScenarioAction } from './scenario.ts';

/** The part of ApiClient that ends a membership, and moves paths off a host. */
export interface ApiWriter {
  post<T>(path: string, body: unknown): Promise<T>;
  delete<T>(path: string): Promise<T>;
}

/** `agent down` waits for the agent; a busy machine takes its time. */
const LEAVE_TIMEOUT_MS = 60_000;

export async function carryOut(lab: RunLab, api: ApiWriter, scenario: Scenario, action: ScenarioAction): Promise<void> {
  switch (action.kind) {
    case 'degrade':
      for (const { from, to } of action.links) await lab.setLink(from, to, action.change);
      return;
    case 'cut':
    case 'partition':
      for (const { from, to } of action.links) await lab.setLink(from, to, { cut: true });
      return;
    case 'heal':
      for (const { from, to } of action.links)
        await lab.setLink(from, to, scenario.shapes.get(pairKey(from, to)) ?? {});
      return;
    case 'kill':
      return lab.stopAgent(action.host, 'SIGKILL');
    case 'stop-agent':
      return lab.stopAgent(action.host, 'SIGTERM');
    case 'start-agent':
      return lab.startAgent(action.host);
    case 'join':
      await lab.join(action.host);
      return lab.startAgent(action.host);
    case 'leave':
      return leave(lab, api, action.host);
    case 'power-off':
      return lab.powerOff(action.host);
    case 'power-on':
      return lab.powerOn(action.host);
    case 'drain':
    case 'resume':
      await api.post(`/v1/nodes/${action.host}`, { drained: action.kind === 'drain' });
      return;
    case 'core-kill':
      return lab.stopCore('SIGKILL');
    case 'core-start':
      return lab.startCore();
  }
}

/** Paths move off the host, it forgets its identity and its kernel state; then the core forgets the node. */
async function leave(lab: RunLab, api: ApiWriter, host: string): Promise<void> {
  const argv = ['agent', 'down', '--forget', '--state-dir', `${lab.hostDir(host)}/state`];
  const program = [process.execPath, programFile('cli/main'), ...argv];
  const result = await lab.exec(host, program, { timeoutMs: LEAVE_TIMEOUT_MS });
  await api.delete(`/v1/nodes/${host}`);
  if (result.exitCode !== 0) throw new Error(`agent down on ${host}: ${result.stderr.trim().slice(-400)}`);
}
