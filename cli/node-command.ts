/** `thalweg node list|show|label|drain|resume|rotate-key|remove`. */
import type { Command } from 'commander';
import type { NodeChange, NodeView } from '../protocol/api.ts';
import { ThalwegError } from '../protocol/error.ts';
import { EXIT } from './exit-code.ts';
import { nodeList, nodePage } from './print/node-page.ts';
import { plain } from './print/table.ts';
import type { CliSession } from './session.ts';

export function addNodeCommand(program: Command, session: CliSession): void {
  const node = program.command('node').description('the nodes of the mesh');
  const list = node.command('list').description('every node: state, addresses, table');
  list.action(async () => {
    const global = session.read(list);
    const nodes = await session.client(global).get<NodeView[]>('/v1/nodes');
    session.show(global, nodes, (value) => nodeList(value, session.io.nowMs(), global.paint));
  });
  const show = node.command('show').description('one node in full').argument('<name>', 'name of the node');
  show.action(async (name: string) => {
    const global = session.read(show);
    const view = await session.client(global).get<NodeView>(nodePath(name));
    session.show(global, view, (value) => nodePage(value, session.io.nowMs(), global.paint));
  });
  const label = node
    .command('label')
    .description('set labels of a node (app=web) and take them away (app-); policies name nodes by them')
    .argument('<name>', 'name of the node')
    .argument('<label...>', 'key=value to set, key- to take away');
  label.action(async (name: string, words: string[]) => {
    const global = session.read(label);
    const change: NodeChange = { labels: parseLabelChange(words) };
    const view = await session.client(global).post<NodeView>(nodePath(name), change);
    session.show(global, view, ({ labels }) => {
      const all = Object.entries(labels).map(([key, value]) => plain(`${key}=${value}`));
      return `Labels of ${plain(name)}: ${all.join(', ') || 'none'}\n`;
    });
  });
  const drain = node
    .command('drain')
    .description("move others' paths off a node and keep them off, without losing a packet, until `node resume`")
    .argument('<name>', 'name of the node');
  drain.action(async (name: string) => {
    const global = session.read(drain);
    const view = await session.client(global).post<NodeView>(nodePath(name), { drained: true });
    session.show(
      global,
      view,
      () =>
        `Paths move off ${name}, but where there is no other way; its own traffic goes on.\nTo see who still does: thalweg path\nTo take it back: thalweg node resume ${name}\n`,
    );
  });
  const resume = node
    .command('resume')
    .description('let paths lead through a drained node again where that is best')
    .argument('<name>', 'name of the node');
  resume.action(async (name: string) => {
    const global = session.read(resume);
    const view = await session.client(global).post<NodeView>(nodePath(name), { drained: false });
    session.show(global, view, () => `Paths may lead through ${name} again.\n`);
  });
  const rotate = node
    .command('rotate-key')
    .description('change the WireGuard key of a node, or of all that are online, without losing packets')
    .argument('[name]', 'name of the node')
    .option('--all', 'every node that is online, spread in time: five a second');
  rotate.action(async (name: string | undefined, options: { all?: boolean }) => {
    const global = session.read(rotate);
    if ((name === undefined) === (options.all !== true)) {
      throw new ThalwegError('invalid_argument', 'rotate-key takes either a name or --all', {
        nextStep: 'thalweg node rotate-key NAME, or thalweg node rotate-key --all',
      });
    }
    const client = session.client(global);
    const all = name === undefined ? await client.get<NodeView[]>('/v1/nodes') : [];
    const names = name === undefined ? all.filter(({ online }) => online).map((one) => one.name) : [name];
    const asked: string[] = [];
    const failed: { name: string; reason: string }[] = [];
    for (const one of names) {
      try {
        await client.post<NodeView>(`${nodePath(one)}/key`, {});
        asked.push(one);
      } catch (cause) {
        if (name !== undefined) throw cause;
        failed.push({ name: one, reason: String(cause instanceof Error ? cause.message : cause) });
      }
    }
    session.show(global, { asked, failed }, (value) => {
      const not = value.failed.map((one) => `Not ${one.name}: ${one.reason}\n`).join('');
      return `Asked ${value.asked.length === 1 ? value.asked[0] : `${value.asked.length} nodes`} for another WireGuard key.\n${not}`;
    });
    if (failed.length > 0) session.exitCode = EXIT.failed;
  });
  const remove = node
    .command('remove')
    .description('take a node off the mesh: its certificate is revoked, its key leaves every peer')
    .argument('<name>', 'name of the node');
  remove.action(async (name: string) => {
    const global = session.read(remove);
    const answer = await session.client(global).delete<unknown>(nodePath(name));
    session.show(
      global,
      answer,
      () =>
        `Removed ${name}: its certificate is revoked and its key is being taken off every peer.\nTo clean that device: thalweg agent down --forget\n`,
    );
  });
}

/** `app=web`: set, `app-`: take away (null). Throws invalid_argument. */
export function parseLabelChange(words: readonly string[]): Record<string, string | null> {
  const change = new Map<string, string | null>();
  for (const word of words) {
    const split = word.indexOf('=');
    const isSet = split > 0;
    if (!isSet && (split === 0 || !/^.+-$/.test(word))) {
      throw new ThalwegError('invalid_argument', `label ${word}: neither key=value nor key-`, {
        nextStep: 'write app=web to set a label, app- to take it away',
      });
    }
    const key = isSet ? word.slice(0, split) : word.slice(0, -1);
    if (change.has(key)) {
      throw new ThalwegError('invalid_argument', `label ${key} is named twice`, { nextStep: 'name each label once' });
    }
    change.set(key, isSet ? word.slice(split + 1) : null);
  }
  return Object.fromEntries(change);
}

function nodePath(name: string): string {
  return `/v1/nodes/${encodeURIComponent(name)}`;
}
