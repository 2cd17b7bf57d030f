/** Watches a kernel for changes to what is ours or to the underlay, with one `ip monitor` and one `nft monitor`. */
import type { Clock, Timer } from '../protocol/clock.ts';
import type { CommandRunner, CommandStream } from './command-runner.ts';
import { NFT_TABLE, OWN_DEVICES, ROUTE_PROTOCOL, TABLE_NUMBERS } from './overlay-names.ts';

/** Changes come in bursts (a device that goes takes its routes along): wait for the end of the burst. */
const DEBOUNCE_MS = 200;
/** A monitor that ended is started again after this long: soon, but never in a tight loop. */
const RESTART_MS = 1_000;

const IP_MONITOR = ['ip', '-N', 'monitor', 'link', 'address', 'route', 'nexthop', 'rule'];
const NFT_MONITOR = ['nft', 'monitor'];

export class KernelWatch {
  readonly #runner: CommandRunner;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #streams = new Map<string, CommandStream>();
  readonly #restarts = new Set<Timer>();
  #pending: Timer | undefined;
  #running = false;

  constructor(deps: { readonly runner: CommandRunner; readonly clock: Clock }, onChange: () => void) {
    this.#runner = deps.runner;
    this.#clock = deps.clock;
    this.#onChange = onChange;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#open(IP_MONITOR, isIpChangeOfInterest);
    this.#open(NFT_MONITOR, isNftChangeOfInterest);
  }

  /** Idempotent. No call back after it. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#pending?.cancel();
    for (const timer of this.#restarts) timer.cancel();
    await Promise.all([...this.#streams.values()].map((stream) => stream.stop()));
    this.#streams.clear();
  }

  #open(argv: readonly string[], isOfInterest: (line: string) => boolean): void {
    const name = argv[0] ?? '';
    const stream = this.#runner.stream(
      argv,
      (line) => {
        if (isOfInterest(line)) this.#changed();
      },
      () => {
        this.#streams.delete(name);
        if (!this.#running) return;
        const timer = this.#clock.after(RESTART_MS, () => {
          this.#restarts.delete(timer);
          if (!this.#running) return;
          this.#open(argv, isOfInterest);
          // What happened in between was not seen.
          this.#changed();
        });
        this.#restarts.add(timer);
      },
    );
    this.#streams.set(name, stream);
  }

  #changed(): void {
    if (this.#pending !== undefined || !this.#running) return;
    this.#pending = this.#clock.after(DEBOUNCE_MS, () => {
      this.#pending = undefined;
      if (this.#running) this.#onChange();
    });
  }
}

const OWN_DEVICE = new RegExp(`\\b(${OWN_DEVICES.join('|')})\\b`);
const OWN_NUMBER = new RegExp(
  `\\b(proto ${ROUTE_PROTOCOL}|(table|lookup) (${Object.values(TABLE_NUMBERS).join('|')}))\\b`,
);
/** `2: eth0: <UP>`, `2: eth0    inet 192.0.2.1/24`: links and addresses of the underlay, with or without `Deleted`. */
const LINK_OR_ADDRESS = /^(Deleted )?\d+: /;
const DEFAULT_ROUTE = /^(Deleted )?default /;

/** A line of `ip -N monitor`: ours, or a link, an address or a default route of the underlay. A host's other routes are not. */
export function isIpChangeOfInterest(line: string): boolean {
  return LINK_OR_ADDRESS.test(line) || OWN_DEVICE.test(line) || OWN_NUMBER.test(line) || DEFAULT_ROUTE.test(line);
}

const NFT_OBJECT = new RegExp(`^(add|delete|insert|replace) (table|chain|rule|set) inet ${NFT_TABLE}\\b`);
const NFT_ELEMENT = new RegExp(`^(add|delete) element inet ${NFT_TABLE} (?!demand)`);

/** A line of `nft monitor` about our table. The elements of the sets of demand are counters that packets make. */
export function isNftChangeOfInterest(line: string): boolean {
  return NFT_OBJECT.test(line) || NFT_ELEMENT.test(line);
}
