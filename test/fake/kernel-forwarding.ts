/** Rules, next hops and routes: what a packet goes by. A next hop that goes takes its groups and routes with it. */
import { KernelLinks } from './kernel-links.ts';
import { type NextHop, pairs, Refused, type Route, RTN, type Rule } from './kernel-objects.ts';

export abstract class KernelForwarding extends KernelLinks {
  readonly nextHops = new Map<number, NextHop>();
  /** False: as a kernel before 5.13. */
  knowsResilientGroups = true;
  rules: Rule[] = [];
  routes: Route[] = [];

  protected override flushDevice(name: string): void {
    for (const [id, nextHop] of [...this.nextHops]) if (nextHop.dev === name) this.deleteNextHop(id);
    this.routes = this.routes.filter((route) => route.dev !== name);
  }

  protected rule(key: string, words: string[], family: 4 | 6): void {
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

  protected nextHop(key: string, words: string[], six: boolean): void {
    const id = Number(words[1]);
    if (key === 'nexthop del') {
      if (!this.nextHops.has(id)) throw new Refused('RTNETLINK answers: No such file or directory');
      this.deleteNextHop(id);
      return;
    }
    const before = this.nextHops.get(id);
    if (before !== undefined && key !== 'nexthop replace') throw new Refused('RTNETLINK answers: File exists');
    const text = words.slice(2).join(' ');
    const group = /^group (\S+)( type resilient buckets \d+ idle_timer \d+ unbalanced_timer \d+)? protocol (\d+)$/.exec(
      text,
    );
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
      const resilient = group[2] !== undefined;
      if (resilient && !this.knowsResilientGroups) throw new Refused('Error: Invalid group type.');
      if (before !== undefined && (before.members === null || before.resilient !== resilient)) {
        throw new Refused('Error: Can not replace a nexthop group with one of a different type.');
      }
      this.nextHops.set(id, { protocol: Number(group[3]), family: null, dev: null, dst: null, members, resilient });
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
      resilient: false,
    });
  }

  protected deleteNextHop(id: number): void {
    this.nextHops.delete(id);
    this.routes = this.routes.filter((route) => route.nhid !== id);
    for (const [groupId, group] of [...this.nextHops]) {
      if (group.members === null) continue;
      group.members = group.members.filter((member) => member.id !== id);
      if (group.members.length === 0) this.deleteNextHop(groupId);
    }
  }

  protected familyOf(id: number): 4 | 6 | null {
    const nextHop = this.nextHops.get(id);
    if (nextHop === undefined) throw new Refused('Error: Nexthop id does not exist.');
    return nextHop.family ?? this.familyOf(nextHop.members?.[0]?.id ?? -1);
  }

  protected route(key: string, words: string[]): void {
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
    if (route.nhid !== null && this.familyOf(route.nhid) !== family) {
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
}
