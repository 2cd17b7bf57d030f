/**
 * Nodes that an operator keeps out of others' paths: kept in the store by id, so that a restart of the core forgets none, and
 * told to the engine, which moves paths off them.
 */
import { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { NodeRecord, Store } from '../store/store.ts';
import type { SteeringLoop } from './steering-loop.ts';

const SETTING = 'drained_nodes';
const stored = z.array(z.string());

export interface DrainedNodesDeps {
  readonly store: Pick<Store, 'setting' | 'setSetting'>;
  readonly loop: Pick<SteeringLoop, 'event'>;
  readonly log: Logger;
}

export class DrainedNodes {
  readonly #deps: DrainedNodesDeps;
  #ids: Set<string>;

  /** Throws what the store throws; a setting that cannot be read counts as none. */
  constructor(deps: DrainedNodesDeps) {
    this.#deps = deps;
    this.#ids = new Set(parse(deps.store.setting(SETTING)));
  }

  /** Reads it anew: another core may have changed it. Throws what the store throws. */
  reload(): void {
    this.#ids = new Set(parse(this.#deps.store.setting(SETTING)));
  }

  has({ id }: NodeRecord): boolean {
    return this.#ids.has(id);
  }

  /** The engine was told of the node, perhaps for the first time. */
  upserted(node: NodeRecord): void {
    if (this.has(node)) this.#tell(node, true);
  }

  /** The node was removed from the mesh. */
  forget(node: NodeRecord): void {
    this.#set(node, false);
  }

  /**
   * Moves others' paths off the node, without a loss, and keeps them off until it is taken back; those that have no other way
   * stay. Throws invalid_argument for a node that forwards for nobody, and what the store throws.
   */
  drain(node: NodeRecord, isDrained: boolean): void {
    if (isDrained && node.host?.transit !== true) {
      throw new ThalwegError('invalid_argument', `node ${node.name} does not forward for others`, {
        fields: { name: node.name },
        nextStep: 'only paths through a node are moved; its own traffic goes on until the node leaves',
      });
    }
    if (!this.#set(node, isDrained)) return;
    this.#tell(node, isDrained);
    this.#deps.log.info(isDrained ? 'node drained' : 'node resumed', { name: node.name, index: node.index });
  }

  /** One durable commit. False: it was so already. */
  #set({ id }: NodeRecord, isDrained: boolean): boolean {
    if (this.#ids.has(id) === isDrained) return false;
    const ids = new Set(this.#ids);
    if (isDrained) ids.add(id);
    else ids.delete(id);
    this.#deps.store.setSetting(SETTING, JSON.stringify([...ids].sort()));
    if (isDrained) this.#ids.add(id);
    else this.#ids.delete(id);
    return true;
  }

  #tell({ index }: NodeRecord, isDrained: boolean): void {
    this.#deps.loop.event((engine, nowMs) => engine.nodeDrained(index, isDrained, nowMs));
  }
}

function parse(text: string | undefined): string[] {
  if (text === undefined) return [];
  try {
    const parsed = stored.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}
