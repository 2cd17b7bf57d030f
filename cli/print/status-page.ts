/** The mesh at a glance. */
import type { StatusView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { policyLine } from './policy-page.ts';
import { count, duration } from './quantity.ts';
import { pairs } from './table.ts';

export function statusPage(status: StatusView, nowMs: number, paint: Paint): string {
  const { nodes, links, paths, addressPlan } = status;
  const offline = nodes.total - nodes.online;
  const page = pairs([
    [
      'core',
      `version ${status.version}, up ${duration(nowMs - status.startedAtMs)}, agents at ${status.agentAddresses.join(', ')}`,
    ],
    ['nodes', `${nodes.total}: ${nodes.online} online, ${some(offline, 'offline', paint)}, ${nodes.transit} transit`],
    ['links', `${links.up} up, ${some(links.down, 'down', paint)}, ${links.unmeasured} unmeasured`],
    ['paths', `${paths.direct} direct, ${paths.detour} detour, ${some(paths.unreachable, 'unreachable', paint)}`],
    ['tables', `generation ${status.generation}, ${status.converged} of ${count(nodes.total, 'node')} up to date`],
    ['policy', policyLine(status.policy, paint)],
    ['addresses', `node ${addressPlan.node4} and ${addressPlan.node6}, tunnel ${addressPlan.tunnel}`],
  ]);
  return nodes.total === 0 ? `${page}\nNo nodes yet. Create a token: thalweg token create\n` : page;
}

function some(n: number, word: string, paint: Paint): string {
  return n === 0 ? `0 ${word}` : paint.bad(`${n} ${word}`);
}
