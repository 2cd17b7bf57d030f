/**
 * A small kernel behind the CommandRunner port: it keeps links, addresses, rules, next hops, routes, WireGuard peers,
 * one nft table and sysctls; parses the commands that the overlay gives; prints what iproute2 6.1, wg and nft 1.0.6
 * print; and refuses what it does not know. A device that goes takes its addresses, next hops and routes with it.
 */
import type { CommandOptions, CommandResult, CommandRunner, CommandStream } from '../../overlay/command-runner.ts';
import { missingProgram } from '../../overlay/command-runner.ts';
import { KernelForwarding } from './kernel-forwarding.ts';
import { DEFAULT_RECEIVE_BUFFER_BYTES } from './kernel-links.ts';
import { KernelNft } from './kernel-nft.ts';
import { Refused } from './kernel-objects.ts';
import { showObject } from './kernel-show.ts';
import { runWg } from './kernel-wireguard.ts';

export class FakeKernel extends KernelForwarding implements CommandRunner {
  readonly missing = new Set<string>();
  readonly programs: string[] = [];
  readonly #nft = new KernelNft();
  /** Called after every command of a batch. */
  onCommand: (command: string) => void = () => {};

  constructor() {
    super();
    this.links.set('lo', { kind: null, mtu: 65536, queue: 1000, up: true, port: 0 });
    this.links.set('eth0', { kind: null, mtu: 1500, queue: 1000, up: true, port: 0 });
    this.addresses.push({ dev: 'eth0', text: '192.0.2.1/24' });
    for (const [key, value] of Object.entries({
      'net/ipv4/nexthop_compat_mode': '1',
      'net/ipv4/fib_multipath_hash_policy': '0',
      'net/ipv6/fib_multipath_hash_policy': '0',
      'net/ipv4/fib_multipath_hash_seed': '0',
      'net/ipv4/conf/all/rp_filter': '0',
      'net/ipv6/conf/all/forwarding': '0',
      'net/ipv6/conf/eth0/accept_ra': '1',
    })) {
      this.sysctls.set(key, value);
    }
  }

  /** The script that made the nft table; null: there is none. */
  get nftScript(): string | null {
    return this.#nft.script;
  }

  async run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const [program = '', ...args] = argv;
    if (this.missing.has(program)) throw missingProgram(program);
    this.programs.push(program);
    try {
      return { exitCode: 0, stdout: await this.#dispatch(program, args, options.stdin ?? ''), stderr: '' };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return { exitCode: 1, stdout: '', stderr: `${error.message}\n` };
    }
  }

  stream(): CommandStream {
    return { stop: async () => {} };
  }

  async #dispatch(program: string, args: string[], stdin: string): Promise<string> {
    const line = args.join(' ');
    if (['-V', '--version'].includes(line)) return `${program} fake\n`;
    if (program === 'ip') return this.#ip(args, stdin);
    if (program === 'wg') {
      if (args.includes('listen-port')) this.receiveBufferBytes = DEFAULT_RECEIVE_BUFFER_BYTES;
      return runWg(this.device, args);
    }
    if (program === 'wireguard-go' && line === 'tw0') {
      this.addLink('tw0', 'tun', 0);
      this.device = { publicKey: '(none)', port: 0, peers: new Map() };
      return '';
    }
    if (program === 'perl') return this.#widenBuffers(args);
    if (program === 'nft') return this.#nft.run(line, stdin);
    if (program === 'grep') {
      const keys = args.slice(2).map((path) => path.replace('/proc/sys/', ''));
      const found = keys.filter((key) => this.sysctls.has(key));
      return found.map((key) => `/proc/sys/${key}:${this.sysctls.get(key)}\n`).join('');
    }
    if (program === 'sysctl') {
      for (const assignment of args.slice(2)) {
        const [key = '', value = ''] = assignment.split('=');
        if (!this.sysctls.has(key))
          throw new Refused(`sysctl: cannot stat /proc/sys/${key}: No such file or directory`);
        this.sysctls.set(key, value);
      }
      return '';
    }
    throw new Error(`the fake kernel does not know: ${program} ${line}`);
  }

  /** The script that widens the buffers of wireguard-go's two sockets. */
  #widenBuffers([, device, bytes]: string[]): string {
    if (device !== 'tw0' || this.links.get('tw0')?.up !== true) return '';
    const before = this.receiveBufferBytes;
    this.receiveBufferBytes = Math.max(before, 2 * Number(bytes));
    return `${before} ${this.receiveBufferBytes}\n`.repeat(2);
  }

  #ip(args: string[], stdin: string): string {
    const six = args.includes('-6');
    const json = args.includes('-j');
    const words = args.filter((word) => !['-j', '-N', '-d', '-6'].includes(word));
    if (words.join(' ') !== '-batch -') return this.#ipCommand(words.join(' '), six, json);
    let printed = '';
    for (const [index, command] of stdin.split('\n').entries()) {
      if (command === '') continue;
      try {
        printed += this.#ipCommand(command, six, json);
      } catch (error) {
        if (error instanceof Refused) throw new Refused(`${error.message}\nCommand failed -:${index + 1}`);
        throw error;
      }
      this.onCommand(command);
    }
    return printed;
  }

  #ipCommand(command: string, six: boolean, json: boolean): string {
    const words = command.split(' ');
    const [object, verb, ...rest] = words;
    if (verb === 'show' && json)
      return `${JSON.stringify(showObject(this, object ?? '', rest.join(' '), six)).replaceAll('"#', '"')}\n`;
    const key = `${object} ${verb}`;
    if (key === 'link add' || key === 'link del' || key === 'link set') this.link(key, rest);
    else if (key === 'address add' || key === 'address del') this.address(key, rest);
    else if (key === 'rule add' || key === 'rule del') this.rule(key, rest, six ? 6 : 4);
    else if (/^nexthop (add|del|replace)$/.test(key)) this.nextHop(key, rest, six);
    else if (key === 'route replace' || key === 'route del') this.route(key, rest);
    else throw new Error(`the fake kernel does not know: ip ${command}`);
    return '';
  }
}
