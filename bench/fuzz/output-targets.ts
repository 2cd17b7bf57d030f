/** What programs print: ip, nft, wg, ping, iputils; and frames and packets of the lab. */

import { destinationOf } from '../../netlab/frame-route.ts';
import { parseRouteTouch } from '../../netlab/scenario/route-monitor.ts';
import { hasDefaultRoute } from '../../netlab/traffic/lab-only.ts';
import { parsePing } from '../../netlab/traffic/ping-series.ts';
import { readPacket, writePacket } from '../../netlab/traffic/traffic-packet.ts';
import { udpDrops } from '../../netlab/traffic/udp-drops.ts';
import { isIpChangeOfInterest, isNftChangeOfInterest } from '../../overlay/kernel-watch.ts';
import { parseNftTable } from '../../overlay/nft/nft-json.ts';
import {
  canonicalPrefix,
  parseAddresses,
  parseIpBatch,
  parseLinks,
  parseNextHops,
  parseRoutes,
  parseRules,
} from '../../overlay/route/kernel-snapshot.ts';
import { parseRemembered } from '../../overlay/sysctl/host-settings.ts';
import { parseWgDump } from '../../overlay/wireguard/wg-dump.ts';
import { type FuzzTarget, textTarget, verdict } from './fuzz-target.ts';

/** As iproute2 6.1 printed them. */
const IP = [
  '[{"ifname":"tw0","flags":["POINTOPOINT","NOARP","UP"],"mtu":1420,"linkinfo":{"info_kind":"wireguard"}},{"ifname":"twx-a","flags":["UP"],"mtu":1384,"linkinfo":{"info_kind":"vxlan","info_data":{"id":0,"port":4790,"external":true,"gpe":true}}}]',
  '[{"ifname":"tw0","addr_info":[{"family":"inet","local":"100.112.0.1","prefixlen":32,"scope":"0"}]}]',
  '[{"id":1414004737,"dev":"tw0","scope":"254","protocol":"84","flags":[]},{"id":1414004738,"encap":"ip","id":1,"src":"0.0.0.0","dst":"100.112.0.2","ttl":0,"tos":0,"dev":"twx-a","scope":"254","protocol":"84","flags":[]},{"id":1414004740,"group":[{"id":1414004737,"weight":3},{"id":1414004738}],"protocol":"84","flags":[]}]',
  '[{"dst":"100.96.0.3","nhid":1414004738,"encap":"ip","id":1,"src":"0.0.0.0","dst":"100.112.0.2","ttl":0,"tos":0,"dev":"twx-a","table":"8400","prefsrc":"100.96.0.1","flags":[],"metrics":[{"mtu":1384}]},{"type":"6","dst":"default","table":"8401","flags":[]}]',
  '[{"priority":8401,"src":"all","iif":"twx-a","table":"8401","protocol":"84"}]',
];
const NFT = JSON.stringify({
  nftables: [
    { metainfo: { version: '1.0.6' } },
    { table: { family: 'inet', name: 'thalweg', handle: 1 } },
    { set: { name: 'demand4', elem: [{ elem: { val: '100.96.0.2', counter: { packets: 3, bytes: 252 } } }] } },
    { set: { name: 'own4', elem: [{ concat: ['100.112.0.2', 1684013314] }] } },
    { set: { name: 'own6', elem: [{ concat: ['100.112.0.2', '0xfd00'] }] } },
    { chain: { name: 'forward', hook: 'forward', prio: 0, policy: 'accept' } },
    { rule: { chain: 'forward', comment: 'x', expr: [] } },
  ],
});
const KEY = `${'A'.repeat(43)}=`;
const WG = `(none)\t${KEY}\t51820\toff\n${KEY}\t(none)\t198.18.0.2:51820\t100.112.0.2/32,fd00::2/128\t1700000000\t92\t148\t25\n`;
const PING =
  '[1700000000.123456] 64 bytes from 100.96.0.2: icmp_seq=1 ttl=64 time=12.9 ms\n1 packets transmitted, 1 received, 0% packet loss\n';
const PROC =
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n';

export function outputTargets(): FuzzTarget[] {
  return [
    textTarget({
      name: 'ip-output',
      source: 'ip -j -batch, ip monitor',
      seeds: () => [...IP, IP.join('\n')],
      words: ['"dst":', '"dev":', '"id":', '"group":[', '"encap":"ip","id":1,"src":"","dst":"1.1.1.1"', '"flags":[]'],
      run: runIp,
    }),
    textTarget({
      name: 'nft-output',
      source: 'nft -j list table, nft monitor',
      seeds: () => [NFT],
      words: ['"elem":', '"set":', '"chain":', '"rule":', '"counter":', '"prefix":{"addr":"1.1.1.0","len":24}'],
      run: (text) => {
        verdict(parseNftTable(text));
        isNftChangeOfInterest(text);
      },
    }),
    textTarget({
      name: 'wg-output',
      source: 'wg show tw0 dump',
      seeds: () => [WG],
      run: (text) => verdict(parseWgDump(text)),
    }),
    textTarget({
      name: 'remembered-settings',
      source: 'sysctls as they were, in a file',
      seeds: () => ['[{"key":"net/ipv4/ip_forward","previous":"0","set":"1"}]'],
      run: (text) => void parseRemembered(text),
    }),
    textTarget({
      name: 'lab-output',
      source: 'ping, ip monitor and /proc in a lab',
      seeds: () => [PING, PROC, 'nexthop id 1414004737 dev tw0 proto 84'],
      run: (text) => {
        parsePing(text);
        hasDefaultRoute(text);
        udpDrops(text, 9_000);
        for (const line of text.split('\n')) parseRouteTouch(line);
      },
    }),
    {
      name: 'lab-packets',
      source: "frames on the lab's wire, packets of its flows",
      seeds: () => {
        const packet = Buffer.alloc(64);
        writePacket(packet, { flow: 1, sequence: 5, sentAtMonoNs: 99n });
        return [packet, Buffer.from('025457000002025457000001080045', 'hex')];
      },
      run: (bytes) => {
        verdict(readPacket(Buffer.from(bytes)));
        const host = destinationOf(bytes, 12);
        if (!Number.isInteger(host)) throw new Error('a frame for no host');
      },
    },
  ];
}

function runIp(text: string): void {
  isIpChangeOfInterest(text);
  canonicalPrefix(text);
  for (const count of [1, text.split('\n').filter((line) => line.trim() !== '').length]) {
    const batch = parseIpBatch(text, count);
    verdict(batch);
    if (!batch.ok) continue;
    for (const items of batch.value) {
      for (const parse of [parseLinks, parseAddresses, parseRoutes]) verdict(parse(items));
      for (const family of [4, 6] as const) verdict(parseRules(items, family));
      verdict(parseNextHops(items, new Set([1_414_004_738])));
    }
  }
}
