/**
 * The switch of the `plain` and `netem` drivers, as text for nft and tc. Pure.
 *
 *   host a: eth0 ==veth== h1 --+-- bridge sw --+-- h2 ==veth== eth0 :host b      (bridge and ports in the `net` namespace)
 *
 * A frame from host f to host t passes the bridge's forward chain once, with t's port as its way out. There it is
 * dropped where the link is cut (or loses it: `plain`), and marked with class 1:f; the queue of t's port has a class
 * for each sender, which holds the frame for the link's rate (`plain`) or everything (`netem`).
 */
import { macAddressOf, portNameOf } from './host-plan.ts';
import type { LinkShape } from './link-shape.ts';
import { QUEUE_US } from './shaped-link.ts';

export interface NumberedLink {
  readonly from: number;
  readonly to: number;
  readonly shape: LinkShape;
}

/** tc reads rates without bound as this. */
const UNBOUNDED = '100gbit';
/** Frames that netem may hold on one link: 100,000 frames/s over 200 ms. */
const NETEM_LIMIT = 20_000;
const FULL_FRAME_BITS = 1514 * 8;

/** The whole ruleset, replacing the one before in one transaction. `lossHere` false: netem does the losing. */
export function switchRuleset(links: readonly NumberedLink[], hostCount: number, lossHere: boolean): string {
  const pair = ({ from, to }: NumberedLink) => `${macAddressOf(from)} . "${portNameOf(to)}"`;
  const cut = links.filter((link) => link.shape.cut);
  const lossy = lossHere ? links.filter((link) => !link.shape.cut && link.shape.lossPpm > 0) : [];
  const classes = Array.from({ length: hostCount }, (_, i) => `${macAddressOf(i + 1)} : 1:${(i + 1).toString(16)}`);
  const chainOf = ({ from, to }: NumberedLink) => `loss_${from}_${to}`;
  return [
    'add table bridge lab',
    'delete table bridge lab',
    'table bridge lab {',
    ...lossy.map((link) => `  chain ${chainOf(link)} { ${lossMatch(link.shape.lossPpm)}counter drop; }`),
    '  chain forward {',
    '    type filter hook forward priority 0; policy accept;',
    `    meta priority set ether saddr map { ${classes.join(', ')} }`,
    ...(cut.length > 0 ? [`    ether saddr . oifname { ${cut.map(pair).join(', ')} } counter drop`] : []),
    ...(lossy.length > 0
      ? [`    ether saddr . oifname vmap { ${lossy.map((l) => `${pair(l)} : jump ${chainOf(l)}`).join(', ')} }`]
      : []),
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Once for each port that shapes anything, before its classes. What has no class passes unshaped. */
export function rootQueueLine(to: number): string {
  return `qdisc add dev ${portNameOf(to)} root handle 1: htb default 0`;
}

/** One link's rate, for `plain`. A later call for the same link replaces it. */
export function rateLines({ from, to, shape }: NumberedLink): string[] {
  const rate = shape.rateBps === null ? UNBOUNDED : `${Math.round(shape.rateBps)}bit`;
  const queueFrames =
    shape.rateBps === null ? 1000 : Math.max(10, Math.ceil((shape.rateBps * QUEUE_US) / 1e6 / FULL_FRAME_BITS));
  return [
    classLine(from, to, rate),
    `qdisc replace dev ${portNameOf(to)} parent 1:${hex(from)} handle ${leafHandle(from)} pfifo limit ${queueFrames}`,
  ];
}

/**
 * One link's everything but its cut, for `netem`. Jitter is even over [delay, delay + jitter]. A rate is always given:
 * netem then counts each frame's delay from the one before, so that jitter does not reorder (sch_netem.c, netem_enqueue).
 */
export function netemLines({ from, to, shape }: NumberedLink): string[] {
  const jitterUs = Math.round(shape.jitterUs / 2);
  const delayUs = Math.round(shape.oneWayDelayUs) + jitterUs;
  const delay = `delay ${delayUs}us${jitterUs > 0 ? ` ${jitterUs}us` : ''}`;
  const loss = shape.lossPpm > 0 ? ` loss random ${(shape.lossPpm / 10_000).toFixed(4)}%` : '';
  const rate = shape.rateBps === null ? UNBOUNDED : `${Math.round(shape.rateBps)}bit`;
  const limit = shape.rateBps === null ? NETEM_LIMIT : netemLimit(shape, shape.rateBps);
  return [
    classLine(from, to, UNBOUNDED),
    `qdisc replace dev ${portNameOf(to)} parent 1:${hex(from)} handle ${leafHandle(from)} ` +
      `netem limit ${limit} ${delay}${loss} rate ${rate}`,
  ];
}

/** netem's limit counts frames under way as well as frames queued: both at full rate. */
function netemLimit(shape: LinkShape, rateBps: number): number {
  const us = shape.oneWayDelayUs + shape.jitterUs + QUEUE_US;
  return Math.min(NETEM_LIMIT, Math.max(10, Math.ceil((rateBps * us) / 1e6 / FULL_FRAME_BITS)));
}

function classLine(from: number, to: number, rate: string): string {
  return `class replace dev ${portNameOf(to)} parent 1: classid 1:${hex(from)} htb rate ${rate} quantum 1514`;
}

/** Handle 1: is the root's. */
function leafHandle(from: number): string {
  return `${hex(from + 1)}:`;
}

/** tc reads handles and class ids as hexadecimal. */
function hex(value: number): string {
  return value.toString(16);
}

/** Nothing where all is lost: nft refuses a comparison that is always true. */
function lossMatch(lossPpm: number): string {
  return lossPpm >= 1_000_000 ? '' : `numgen random mod 1000000 < ${Math.round(lossPpm)} `;
}
