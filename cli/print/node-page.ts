/** Nodes on screen. */
import type { NodeView } from '../../protocol/api.ts';
import type { Paint } from './paint.ts';
import { enforcementWord, nodePolicy } from './policy-page.ts';
import { age, MISSING, relative } from './quantity.ts';
import { pairs, plain, table } from './table.ts';

export function nodeList(nodes: readonly NodeView[], nowMs: number, paint: Paint): string {
  if (nodes.length === 0) return 'No nodes yet. Create a token: thalweg token create\n';
  const hasPolicy = nodes.some(({ policy }) => policy !== null);
  const hasLabels = nodes.some(({ labels }) => Object.keys(labels).length > 0);
  const columns = [
    { title: 'NAME' },
    { title: 'STATE' },
    { title: 'SINCE', align: 'right' as const },
    { title: 'IPV4' },
    { title: 'IPV6' },
    { title: 'KIND' },
    { title: 'TABLE' },
    ...(hasPolicy ? [{ title: 'POLICY' }] : []),
    ...(hasLabels ? [{ title: 'LABELS' }] : []),
  ];
  const rows = nodes.map((node) => [
    plain(node.name),
    node.online ? paint.good('online') : paint.bad('offline'),
    age(node.sinceMs, nowMs),
    node.node4,
    node.node6,
    kind(node),
    tableState(node, paint),
    ...(hasPolicy ? [node.policy === null ? MISSING : enforcementWord(node.policy, paint)] : []),
    ...(hasLabels ? [labelsOf(node)] : []),
  ]);
  return table(columns, rows);
}

export function nodePage(node: NodeView, nowMs: number, paint: Paint): string {
  return pairs([
    ['name', plain(node.name)],
    ['id', node.id],
    ['state', `${node.online ? paint.good('online') : paint.bad('offline')} for ${age(node.sinceMs, nowMs)}`],
    ['kind', longKind(node)],
    ...(node.transit && node.leaves !== null
      ? [['leaves', `home of ${node.leaves}, room for ${node.leafCapacity}`] as const]
      : []),
    ...(node.home !== null ? [['home', plain(node.home)] as const] : []),
    ['node addresses', `${node.node4}, ${node.node6}`],
    ['tunnel address', `${node.tunnelAddress} (index ${node.index})`],
    ['endpoints', node.endpoints.map(plain).join(', ') || MISSING],
    ['public key', node.publicKey],
    ['labels', labelsOf(node)],
    ...(node.policy === null ? [] : [['policy', nodePolicy(node.policy, paint)] as const]),
    ['joined', relative(node.joinedAtMs, nowMs)],
    ['table', tableState(node, paint)],
    ['clock', node.clockSkewMs === null ? MISSING : `${node.clockSkewMs} ms off the core's`],
    [
      'certificate',
      node.certificateExpiresAtMs === null ? MISSING : `ends ${relative(node.certificateExpiresAtMs, nowMs)}`,
    ],
    ['software', plain(node.software ?? MISSING)],
    ['WireGuard', plain(node.wireguardBackend ?? MISSING)],
  ]);
}

function labelsOf({ labels }: NodeView): string {
  const all = Object.entries(labels).map(([key, value]) => plain(`${key}=${value}`));
  return all.join(', ') || MISSING;
}

/** With ` (drained)` where an operator keeps it out of others' paths; `leaf of ams-1`, or what a node is in a mesh without homes. */
function kind({ transit, drained, home, leaves }: NodeView): string {
  if (home !== null) return `leaf of ${plain(home)}`;
  if (!transit) return 'leaf';
  if (drained) return 'transit (drained)';
  return leaves === null || leaves === 0 ? 'transit' : `transit, ${leaves} ${leaves === 1 ? 'leaf' : 'leaves'}`;
}

function longKind({ transit, drained }: NodeView): string {
  if (!transit) return 'leaf: never forwards for others';
  return drained ? 'transit, drained: kept out of the paths of others' : 'transit: may forward for others';
}

function tableState(node: NodeView, paint: Paint): string {
  if (node.tableGeneration === node.wantedGeneration) return `generation ${node.tableGeneration}`;
  return paint.warn(`generation ${node.tableGeneration}, wants ${node.wantedGeneration}`);
}
