/**
 * A small kernel behind the CommandRunner port: it keeps links, addresses, rules, next hops, routes, WireGuard peers,
 * one nft table and sysctls; parses the commands that the overlay gives; prints what iproute2 6.1, wg and nft 1.0.6
 * print; and refuses what it does not know. A device that goes takes its addresses, next hops and routes with it.
 */
import type { CommandOptions, CommandResult, CommandRunner, CommandStream } from '../../overlay/command-runner.ts';
import { missingProgram } from '../../overlay/command-runner.ts';
import { publicKeyOfFile } from '../../overlay/wireguard/key-file.ts';

interface Link {
  kind: string | null;
  mtu: number;
  up: boolean;
  port: number;
}

interface NextHop {
  protocol: number;
  family: 4 | 6 | null;
  dev: string | null;
  dst: string | null;
  members: { id: number; weight: number }[] | null;
}

interface Route {
  family: 4 | 6;
  table: number;
  prefix: string;
  type: number;
  nhid: number | null;
  dev: string | null;
  src: string | null;
  mtu: number | null;
  metric: number;
  protocol: number;
}

interface Rule {
  family: 4 | 6;
  preference: number;
  iif: string | null;
  table: number;
  protocol: number;
}

interface Peer {
  endpoint: string | null;
  allowed: string[];
  keepalive: number | null;
}

/** What a command says on stderr when the kernel refuses it. */
class Refused extends Error {}

const RTN: Readonly<Record<string, number>> = { blackhole: 6, unreachable: 7 };

export class FakeKernel implements CommandRunner {
  readonly links = new Map<string, Link>();
  readonly addresses: { dev: string; text: string }[] = [];
  readonly nextHops = new Map<number, NextHop>();
  readonly sysctls = new Map<string, string>();
  readonly missing = new Set<string>();
  /** Device types that the kernel does not know. */
  readonly unknownTypes = new Set<string>(['wireguard']);
  readonly programs: string[] = [];
  rules: Rule[] = [];
  routes: Route[] = [];
  nftScript: string | null = null;
  device: { publicKey: string; port: number; peers: Map<string, Peer> } | null = null;
  /** Called after every command of a batch. */
  onCommand: (command: string) => void = () => {};

  constructor() {
    this.links.set('lo', { kind: null, mtu: 65536, up: true, port: 0 });
    this.links.set('eth0', { kind: null, mtu: 1500, up: true, port: 0 });
    this.addresses.push({ dev: 'eth0', text: '192.0.2.1/24' });
    for (const [key, value] of Object.entries({
      'net/ipv4/fib_multipath_hash_policy': '0',
      'net/ipv6/fib_multipath_hash_policy': '0',
      'net/ipv4/fib_multipath_hash_seed': '0',
      'net/ipv4/conf/all/rp_filter': '0',
      'net/ipv6/conf/all/forwarding': '0',
      'net/ipv6/conf/eth0/accept_ra': '1',
    })) {
      this.sysctls.set(key, value);
    }
    this.forceForwarding = true;
  }

  /** Whether new devices get `force_forwarding` (kernel 6.17 and newer). */
  forceForwarding: boolean;

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
    if (program === 'wg') return this.#wg(args);
    if (program === 'wireguard-go' && line === 'tw0') {
      this.#addLink('tw0', 'tun', 0);
      this.device = { publicKey: '(none)', port: 0, peers: new Map() };
      return '';
    }
    if (program === 'nft') return this.#nft(line, stdin);
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
      return `${JSON.stringify(this.#show(object ?? '', rest.join(' '), six)).replaceAll('"#', '"')}\n`;
    const key = `${object} ${verb}`;
    if (key === 'link add' || key === 'link del' || key === 'link set') this.#link(key, rest);
    else if (key === 'address add' || key === 'address del') this.#address(key, rest);
    else if (key === 'rule add' || key === 'rule del') this.#rule(key, rest, six ? 6 : 4);
    else if (key === 'nexthop add' || key === 'nexthop del') this.#nextHop(key, rest, six);
    else if (key === 'route replace' || key === 'route del') this.#route(key, rest);
    else throw new Error(`the fake kernel does not know: ip ${command}`);
    return '';
  }

  #addLink(name: string, kind: string, port: number): void {
    if (this.links.has(name)) throw new Refused('RTNETLINK answers: File exists');
    this.links.set(name, { kind, mtu: 1500, up: false, port });
    for (const key of ['rp_filter', 'send_redirects', 'accept_redirects', 'forwarding']) {
      this.sysctls.set(`net/ipv4/conf/${name}/${key}`, key.endsWith('redirects') ? '1' : '0');
    }
    for (const key of [
      'accept_redirects',
      'accept_ra',
      'disable_ipv6',
      ...(this.forceForwarding ? ['force_forwarding'] : []),
    ]) {
      this.sysctls.set(`net/ipv6/conf/${name}/${key}`, key.startsWith('accept') ? '1' : '0');
    }
  }

  #link(key: string, words: string[]): void {
    const [name = '', ...rest] = words;
    const link = this.links.get(name);
    if (key === 'link add') {
      const [, kind = ''] = rest;
      if (this.unknownTypes.has(kind)) throw new Refused('Error: Unknown device type.');
      const options = rest.slice(2).join(' ');
      const port = /^(?:dstport (\d+) external gpe)?$/.exec(options);
      if (port === null) throw new Error(`the fake kernel does not know: link add ${words.join(' ')}`);
      this.#addLink(name, kind, Number(port[1] ?? 0));
      if (kind === 'wireguard') this.device = { publicKey: '(none)', port: 0, peers: new Map() };
      return;
    }
    if (link === undefined) throw new Refused(`Cannot find device "${name}"`);
    if (key === 'link del') {
      this.links.delete(name);
      for (const sysctl of [...this.sysctls.keys()]) if (sysctl.includes(`/conf/${name}/`)) this.sysctls.delete(sysctl);
      this.#keepAddresses((address) => address.dev !== name);
      this.#flushDevice(name);
      if (name === 'tw0') this.device = null;
      return;
    }
    for (let i = 0; i < rest.length; i++) {
      if (rest[i] === 'up') link.up = true;
      else if (rest[i] === 'down') {
        link.up = false;
        this.#flushDevice(name);
      } else if (rest[i] === 'mtu') link.mtu = Number(rest[++i]);
      else if (rest[i] === 'addrgenmode' && rest[i + 1] === 'none') i++;
      else throw new Error(`the fake kernel does not know: link set ${words.join(' ')}`);
    }
  }

  #keepAddresses(keep: (address: { dev: string; text: string }) => boolean): void {
    this.addresses.splice(0, this.addresses.length, ...this.addresses.filter(keep));
  }

  #flushDevice(name: string): void {
    for (const [id, nextHop] of [...this.nextHops]) if (nextHop.dev === name) this.#deleteNextHop(id);
    this.routes = this.routes.filter((route) => route.dev !== name);
  }

  #address(key: string, words: string[]): void {
    const [text = '', , dev = ''] = words;
    const held = this.addresses.some((address) => address.text === text && address.dev === dev);
    if (!this.links.has(dev)) throw new Refused(`Cannot find device "${dev}"`);
    if (key === 'address add') {
      if (held) throw new Refused('RTNETLINK answers: File exists');
      this.addresses.push({ dev, text });
    } else {
      if (!held) throw new Refused('RTNETLINK answers: Cannot assign requested address');
      this.#keepAddresses((address) => address.text !== text || address.dev !== dev);
    }
  }

  #rule(key: string, words: string[], family: 4 | 6): void {
    const option = pairs(words, ['preference', 'iif', 'lookup', 'protocol']);
    const rule: Rule = {
      family,
      preference: Number(option.get('preference')),
      iif: option.get('iif') ?? null,
      table: Number(option.get('lookup')),
      protocol: Number(option.get('protocol')),
    };
    const same = (other: Rule) => JSON.stringify(other) === JSON.stringify(rule);
    if (key === 'rule add') {
      if (this.rules.some(same)) throw new Refused('RTNETLINK answers: File exists');
      this.rules.push(rule);
    } else {
      if (!this.rules.some(same)) throw new Refused('RTNETLINK answers: No such file or directory');
      this.rules = this.rules.filter((other) => !same(other));
    }
  }

  #nextHop(key: string, words: string[], six: boolean): void {
    const id = Number(words[1]);
    if (key === 'nexthop del') {
      if (!this.nextHops.has(id)) throw new Refused('RTNETLINK answers: No such file or directory');
      this.#deleteNextHop(id);
      return;
    }
    if (this.nextHops.has(id)) throw new Refused('RTNETLINK answers: File exists');
    const text = words.slice(2).join(' ');
    const group = /^group (\S+) protocol (\d+)$/.exec(text);
    if (group?.[1] !== undefined) {
      if (six) throw new Refused('Error: Invalid family for group.');
      const members = group[1].split('/').map((member) => {
        const [memberId = '', weight = '1'] = member.split(',');
        return { id: Number(memberId), weight: Number(weight) };
      });
      for (const member of members) {
        if (this.nextHops.get(member.id)?.family == null) throw new Refused('Error: Invalid nexthop id.');
        if (!(member.weight >= 1 && member.weight <= 256)) throw new Refused('Error: "weight" is invalid');
      }
      this.nextHops.set(id, { protocol: Number(group[2]), family: null, dev: null, dst: null, members });
      return;
    }
    const single = /^(?:encap ip id 1 dst (\S+) )?dev (\S+) protocol (\d+)$/.exec(text);
    if (single?.[2] === undefined) throw new Error(`the fake kernel does not know: nexthop ${words.join(' ')}`);
    if (this.links.get(single[2])?.up !== true) throw new Refused('Error: Nexthop device is not up.');
    this.nextHops.set(id, {
      protocol: Number(single[3]),
      family: six ? 6 : 4,
      dev: single[2],
      dst: single[1] ?? null,
      members: null,
    });
  }

  #deleteNextHop(id: number): void {
    this.nextHops.delete(id);
    this.routes = this.routes.filter((route) => route.nhid !== id);
    for (const [groupId, group] of [...this.nextHops]) {
      if (group.members === null) continue;
      group.members = group.members.filter((member) => member.id !== id);
      if (group.members.length === 0) this.#deleteNextHop(groupId);
    }
  }

  #familyOf(id: number): 4 | 6 | null {
    const nextHop = this.nextHops.get(id);
    if (nextHop === undefined) throw new Refused('Error: Nexthop id does not exist.');
    return nextHop.family ?? this.#familyOf(nextHop.members?.[0]?.id ?? -1);
  }

  #route(key: string, words: string[]): void {
    const typed = RTN[words[0] ?? ''];
    const [prefix = '', ...rest] = typed === undefined ? words : words.slice(1);
    const option = pairs(rest, ['nhid', 'dev', 'scope', 'src', 'mtu', 'table', 'protocol', 'metric']);
    const family = prefix.includes(':') ? 6 : 4;
    const number = (name: string) => (option.has(name) ? Number(option.get(name)) : null);
    const route: Route = {
      family,
      table: number('table') ?? 254,
      prefix,
      type: typed ?? 1,
      nhid: number('nhid'),
      dev: option.get('dev') ?? null,
      src: option.get('src') ?? null,
      mtu: number('mtu'),
      metric: number('metric') ?? (family === 6 ? 1024 : 0),
      protocol: number('protocol') ?? 3,
    };
    const same = (other: Route) =>
      other.prefix === route.prefix && other.table === route.table && other.metric === route.metric;
    if (key === 'route del') {
      if (!this.routes.some(same)) throw new Refused('RTNETLINK answers: No such process');
      this.routes = this.routes.filter((other) => !same(other));
      return;
    }
    if (route.nhid !== null && this.#familyOf(route.nhid) !== family) {
      throw new Refused('Error: IPv6 routes can not use an IPv4 nexthop.');
    }
    if (route.dev !== null && this.links.get(route.dev)?.up !== true)
      throw new Refused('RTNETLINK answers: Network is down');
    if (route.src !== null && !this.addresses.some((address) => address.text.split('/')[0] === route.src)) {
      throw new Refused('Error: Invalid prefsrc address.');
    }
    const index = this.routes.findIndex(same);
    if (index < 0) this.routes.push(route);
    else this.routes[index] = route;
  }

  #show(object: string, filter: string, six: boolean): unknown[] {
    if (object === 'link') {
      return [...this.links].map(([ifname, link]) => ({
        ifname,
        mtu: link.mtu,
        flags: [...(link.up ? ['UP'] : []), ...(ifname === 'lo' ? ['LOOPBACK'] : [])],
        ...(link.kind === null ? {} : { linkinfo: linkInfo(link) }),
      }));
    }
    if (object === 'address') {
      return [...this.links.keys()].map((ifname) => ({
        ifname,
        addr_info: this.addresses
          .filter((address) => address.dev === ifname)
          .map(({ text }) => ({
            family: text.includes(':') ? 'inet6' : 'inet',
            local: text.split('/')[0],
            prefixlen: Number(text.split('/')[1]),
            scope: '0',
          })),
      }));
    }
    if (object === 'rule') {
      return this.rules
        .filter((rule) => rule.family === (six ? 6 : 4))
        .map(({ preference, iif, table, protocol }) => ({
          priority: preference,
          src: 'all',
          ...(iif === null ? {} : { iif }),
          table: String(table),
          protocol: String(protocol),
        }));
    }
    if (object === 'nexthop') {
      return [...this.nextHops]
        .filter(([, nextHop]) => !six || nextHop.family === 6)
        .map(([id, { members, dev, dst, protocol }]) => ({
          id,
          ...(members === null ? {} : { group: members }),
          // iproute2 prints `id`, `src` and `dst` twice: `#` keeps the second ones apart until they are text.
          ...(dst === null ? {} : { encap: 'ip', '#id': 1, '#src': '0.0.0.0', '#dst': dst, ttl: 0, tos: 0 }),
          ...(dev === null ? {} : { dev }),
          protocol: String(protocol),
          flags: [],
        }));
    }
    if (object === 'route' && filter.startsWith('table all')) {
      const protocol = /protocol (\d+)/.exec(filter)?.[1];
      return this.routes
        .filter((route) => protocol === undefined || route.protocol === Number(protocol))
        .map((route) => ({
          ...(route.type === 1 ? {} : { type: String(route.type) }),
          dst: route.prefix.replace(/^(0\.0\.0\.0|::)\/0$/, 'default').replace(/\/(32|128)$/, ''),
          ...(route.nhid === null ? {} : { nhid: route.nhid }),
          ...this.#encapOf(route),
          table: String(route.table),
          ...(route.src === null ? {} : { prefsrc: route.src }),
          ...(route.family === 6 ? { metric: route.metric } : {}),
          flags: [],
          ...(route.mtu === null ? {} : { metrics: [{ mtu: route.mtu }] }),
          ...(route.family === 6 ? { pref: 'medium' } : {}),
        }));
    }
    throw new Error(`the fake kernel does not know: ip ${object} show ${filter}`);
  }

  #encapOf(route: Route): object {
    const nextHop = route.nhid === null ? undefined : this.nextHops.get(route.nhid);
    if (nextHop?.dev == null) return route.dev === null ? {} : { dev: route.dev };
    if (nextHop.dst === null) return { dev: nextHop.dev };
    return { encap: 'ip', '#id': 1, '#src': '0.0.0.0', '#dst': nextHop.dst, ttl: 0, tos: 0, dev: nextHop.dev };
  }

  async #wg(args: string[]): Promise<string> {
    const [verb, , ...rest] = args;
    if (this.device === null) throw new Refused('Unable to access interface: No such device');
    if (verb === 'show') {
      const lines = [`(private)\t${this.device.publicKey}\t${this.device.port}\toff`];
      for (const [key, peer] of this.device.peers) {
        const allowed = peer.allowed.length === 0 ? '(none)' : peer.allowed.join(',');
        lines.push(`${key}\t(none)\t${peer.endpoint ?? '(none)'}\t${allowed}\t0\t0\t0\t${peer.keepalive ?? 'off'}`);
      }
      return `${lines.join('\n')}\n`;
    }
    let peer: Peer | undefined;
    let peerKey = '';
    for (let i = 0; i < rest.length; i++) {
      const word = rest[i];
      if (word === 'remove') {
        this.device.peers.delete(peerKey);
        continue;
      }
      const value = rest[++i] ?? '';
      if (word === 'private-key') this.device.publicKey = await publicKeyOfFile(value);
      else if (word === 'listen-port') this.device.port = Number(value);
      else if (word === 'peer') {
        peerKey = value;
        peer = this.device.peers.get(value) ?? { endpoint: null, allowed: [], keepalive: null };
        this.device.peers.set(value, peer);
      } else if (peer === undefined) throw new Refused(`Invalid argument: ${word}`);
      else if (word === 'endpoint') peer.endpoint = value;
      else if (word === 'persistent-keepalive') peer.keepalive = Number(value);
      else if (word === 'allowed-ips') {
        const wanted = value === '' ? [] : value.split(',');
        // Exclusive: the last peer to claim a prefix takes it.
        for (const other of this.device.peers.values())
          other.allowed = other.allowed.filter((ip) => !wanted.includes(ip));
        peer.allowed = wanted;
      } else throw new Error(`the fake kernel does not know: wg set ${word}`);
    }
    return '';
  }

  #nft(line: string, stdin: string): string {
    if (line === '-f -') {
      if (!stdin.startsWith('add table inet thalweg\ndelete table inet thalweg\n'))
        throw new Error('not one transaction');
      const body = stdin.split('\n').slice(2).join('\n');
      this.nftScript = body.trim() === '' ? null : body;
      return '';
    }
    if (line === 'delete table inet thalweg') {
      this.nftScript = null;
      return '';
    }
    if (!/^-j (-t )?list table inet thalweg$/.test(line)) throw new Error(`the fake kernel does not know: nft ${line}`);
    if (this.nftScript === null) throw new Refused('Error: No such file or directory');
    const items: unknown[] = [];
    let chain = '';
    for (const text of this.nftScript.split('\n')) {
      const set = /^ {2}set (\w+) \{.*counter; \}$/.exec(text);
      const open = /^ {2}chain (\w+) \{$/.exec(text);
      const hook = /^ {4}type filter hook (\w+) priority (-?\d+); policy (\w+);$/.exec(text);
      const rule = /^ {4}.* comment "([^"]*)"$/.exec(text);
      if (set !== null) items.push({ set: { name: set[1] } });
      else if (open !== null) chain = open[1] ?? '';
      else if (hook !== null) {
        items.push({ chain: { name: chain, hook: hook[1], prio: Number(hook[2]), policy: hook[3] } });
      } else if (rule !== null) items.push({ rule: { chain, comment: rule[1] } });
    }
    return JSON.stringify({ nftables: items });
  }
}

function linkInfo(link: Link): object {
  const data = link.kind === 'vxlan' ? { port: link.port, external: true, gpe: true } : {};
  return { info_kind: link.kind, info_data: data };
}

/** Words as option and value. */
function pairs(words: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    const [name = '', value] = [words[i], words[i + 1]];
    if (!known.includes(name) || value === undefined)
      throw new Error(`the fake kernel does not know: ${words.join(' ')}`);
    found.set(name, value);
  }
  return found;
}
