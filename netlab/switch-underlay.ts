/** Drivers `plain` and `netem`: veth pairs to a bridge; the kernel shapes. See switch-rules.ts for the picture. */
import { portNameOf } from './host-plan.ts';
import { needsDelay } from './link-shape.ts';
import { runMachine } from './machine-command.ts';
import { inNamespace, ipBatch } from './namespace.ts';
import { type NumberedLink, netemLines, rateLines, rootQueueLine, switchRuleset } from './switch-rules.ts';
import type { Underlay, UnderlayHost } from './underlay.ts';

export class SwitchUnderlay implements Underlay {
  readonly #netNamespace: string;
  readonly #netem: boolean;
  readonly #hostCount: number;
  /** `tc` lines in force, by link; only what differs is sent. */
  readonly #lines = new Map<string, string>();
  readonly #rootQueues = new Set<number>();

  /** `linksInForce`: when attaching to a lab that another process built. */
  constructor(options: {
    netNamespace: string;
    netem: boolean;
    hostCount: number;
    linksInForce: readonly NumberedLink[];
  }) {
    this.#netNamespace = options.netNamespace;
    this.#netem = options.netem;
    this.#hostCount = options.hostCount;
    this.#changedQueueLines(options.linksInForce);
  }

  async build(hosts: readonly UnderlayHost[]): Promise<void> {
    const small = this.#netem ? ' gso_max_segs 1' : ''; // netem should lose and delay frames, not bundles of 40
    await ipBatch(this.#netNamespace, [
      'link set lo up',
      'link add sw type bridge',
      'link set sw addrgenmode none up',
      ...hosts.flatMap(({ number, namespace }) => [
        `link add ${portNameOf(number)} type veth peer name eth0 netns ${namespace}`,
        `link set ${portNameOf(number)} master sw addrgenmode none up`,
      ]),
    ]);
    if (small !== '') for (const host of hosts) await ipBatch(host.namespace, [`link set eth0${small}`]);
  }

  async setLinks(changed: readonly NumberedLink[], all: readonly NumberedLink[]): Promise<void> {
    const lines = this.#changedQueueLines(changed);
    if (lines.length > 0) {
      await runMachine(inNamespace(this.#netNamespace, ['tc', '-batch', '-']), `${lines.join('\n')}\n`);
    }
    const ruleset = switchRuleset(all, this.#hostCount, !this.#netem);
    await runMachine(inNamespace(this.#netNamespace, ['nft', '-f', '-']), ruleset);
  }

  /** The kernel drops what goes to an interface that is down. */
  async setPort(): Promise<void> {}

  #changedQueueLines(links: readonly NumberedLink[]): string[] {
    const changed: string[] = [];
    for (const link of links) {
      const key = `${link.from}>${link.to}`;
      const before = this.#lines.get(key);
      if (before === undefined && !this.#needsQueue(link)) continue;
      const lines = this.#netem ? netemLines(link) : rateLines(link);
      if (before === lines.join('\n')) continue;
      this.#lines.set(key, lines.join('\n'));
      if (!this.#rootQueues.has(link.to)) {
        this.#rootQueues.add(link.to);
        changed.push(rootQueueLine(link.to));
      }
      changed.push(...lines);
    }
    return changed;
  }

  #needsQueue({ shape }: NumberedLink): boolean {
    return shape.rateBps !== null || (this.#netem && (needsDelay(shape) || shape.lossPpm > 0));
  }
}
