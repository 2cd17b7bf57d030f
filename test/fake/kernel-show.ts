/** What `ip -j -N -d ... show` of iproute2 6.1 prints of the fake kernel, as objects. */
import type { Link, NextHop, Route, Rule } from './kernel-objects.ts';

export interface ShownState {
  readonly links: ReadonlyMap<string, Link>;
  readonly addresses: readonly { readonly dev: string; readonly text: string }[];
  readonly rules: readonly Rule[];
  readonly nextHops: ReadonlyMap<number, NextHop>;
  readonly routes: readonly Route[];
}

export function showObject(kernel: ShownState, object: string, filter: string, six: boolean): unknown[] {
  if (object === 'link') {
    return [...kernel.links].map(([ifname, link]) => ({
      ifname,
      mtu: link.mtu,
      txqlen: link.queue,
      flags: [...(link.up ? ['UP'] : []), ...(ifname === 'lo' ? ['LOOPBACK'] : [])],
      ...(link.kind === null ? {} : { linkinfo: linkInfo(link) }),
    }));
  }
  if (object === 'address') {
    return [...kernel.links.keys()].map((ifname) => ({
      ifname,
      addr_info: kernel.addresses
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
    return kernel.rules
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
    return [...kernel.nextHops]
      .filter(([, nextHop]) => !six || nextHop.family === 6)
      .map(([id, { members, resilient, dev, dst, protocol }]) => ({
        id,
        ...(members === null ? {} : { group: members }),
        ...(resilient ? { type: 'resilient', resilient_args: { buckets: 256 } } : {}),
        // iproute2 prints `id`, `src` and `dst` twice: `#` keeps the second ones apart until they are text.
        ...(dst === null ? {} : { encap: 'ip', '#id': 1, '#src': '0.0.0.0', '#dst': dst, ttl: 0, tos: 0 }),
        ...(dev === null ? {} : { dev }),
        protocol: String(protocol),
        flags: [],
      }));
  }
  if (object === 'route' && filter.startsWith('table all')) {
    const protocol = /protocol (\d+)/.exec(filter)?.[1];
    return kernel.routes
      .filter((route) => protocol === undefined || route.protocol === Number(protocol))
      .map((route) => ({
        ...(route.type === 1 ? {} : { type: String(route.type) }),
        dst: route.prefix.replace(/^(0\.0\.0\.0|::)\/0$/, 'default').replace(/\/(32|128)$/, ''),
        ...(route.nhid === null ? {} : { nhid: route.nhid }),
        ...encapOf(kernel, route),
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

function encapOf(kernel: ShownState, route: Route): object {
  const nextHop = route.nhid === null ? undefined : kernel.nextHops.get(route.nhid);
  if (nextHop?.dev == null) return route.dev === null ? {} : { dev: route.dev };
  if (nextHop.dst === null) return { dev: nextHop.dev };
  return { encap: 'ip', '#id': 1, '#src': '0.0.0.0', '#dst': nextHop.dst, ttl: 0, tos: 0, dev: nextHop.dev };
}

function linkInfo(link: Link): object {
  const data = link.kind === 'vxlan' ? { port: link.port, external: true, gpe: true } : {};
  return { info_kind: link.kind, info_data: data };
}
