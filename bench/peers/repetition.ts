/**
 * The disturbances, in an arena of four hosts with a flow from a to b:
 *
 *         r            cut          nothing passes between a and b, unannounced
 *       / | \          one-way      nothing passes from a to b; the other direction is well
 *      a --- b         gray         30 % of all packets between a and b are lost
 *       \ | /          relay-crash  a - b is down for good; the relay in use loses its power
 *         s            flap         a - b is down for 2 s, up for 2 s, and so on for 60 s
 *                      reroute      a planned move off a - b, and back
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Arena } from './arena.ts';
import type { MeasuredFlow } from './measured-flow.ts';

export const SCENARIOS = ['cut', 'one-way', 'gray', 'relay-crash', 'flap', 'reroute'] as const;
export type PeerScenario = (typeof SCENARIOS)[number];

/** Windows of one repetition, in milliseconds of the flow. `back`: when what failed is there again. */
export interface Repetition {
  readonly failedAtMs: number;
  readonly backAtMs: number;
  readonly endMs: number;
  /** Traffic flowed again before what had failed came back. */
  readonly recovered: boolean;
  /** Traffic went the first way again within RETURN_MS. */
  readonly returned: boolean;
}

export const [SOURCE, TARGET] = ['a', 'b'];
/** OSPF's 40 s and some more. */
const RECOVER_MS = 60_000;
/** OSPF with its defaults needs up to 10 s for a hello and as long for a database exchange; holds of ours are up to 30 s. */
const RETURN_MS = 90_000;
/** Gray failures that nobody notices are given up after this. */
const GRAY_MS = 20_000;
/** Packets on their way when something changes have arrived by then. */
const APART_MS = 400;
const GRAY_LOSS_PPM = 300_000;
const FLAP_MS = 2_000;
const FLAP_CUTS = 15;
/** From 5 ms to 65 ms of RTT, where the way round takes 10. */
const DEAR_DELAY_US = 32_500;

/** Brings the arena where the scenario begins, and says what the first way of the traffic is: null, whichever relay. */
export async function prepare(arena: Arena, scenario: PeerScenario): Promise<void> {
  if (scenario !== 'relay-crash') {
    await arena.until('a reaches b directly', () => arena.mesh.isDirect(SOURCE, TARGET));
    await arena.until('b reaches a directly', () => arena.mesh.isDirect(TARGET, SOURCE));
    return;
  }
  await arena.setLink(SOURCE, TARGET, { cut: true });
  const round = async (from: string, to: string) =>
    (await arena.mesh.reaches(from, to)) && !(await arena.mesh.isDirect(from, to));
  await arena.until('a reaches b by a relay', () => round(SOURCE, TARGET));
  await arena.until('b reaches a by a relay', () => round(TARGET, SOURCE));
}

export async function restore(arena: Arena, scenario: PeerScenario): Promise<void> {
  if (scenario === 'relay-crash') await arena.setLink(SOURCE, TARGET, { cut: false });
}

export async function repeat(arena: Arena, flow: MeasuredFlow, scenario: PeerScenario): Promise<Repetition> {
  await pause(APART_MS);
  switch (scenario) {
    case 'cut':
      return failLink(arena, flow, () => arena.setLink(SOURCE, TARGET, { cut: true }));
    case 'one-way':
      return failLink(arena, flow, () => arena.lab.setLink(SOURCE, TARGET, { cut: true }));
    case 'gray':
      return failLink(arena, flow, () => arena.setLink(SOURCE, TARGET, { lossPpm: GRAY_LOSS_PPM }), GRAY_MS);
    case 'relay-crash':
      return crashRelay(arena, flow);
    case 'flap':
      return flap(arena, flow);
    case 'reroute':
      return reroute(arena, flow);
  }
}

async function failLink(
  arena: Arena,
  flow: MeasuredFlow,
  fail: () => Promise<void>,
  withinMs = RECOVER_MS,
): Promise<Repetition> {
  // Traffic may be on its way round once more: what fails then is nothing to it. And failures are not in step with the
  // contestant's timers: that traffic came back may have followed one of them.
  await untilNextHop(arena, flow, (hop) => hop === TARGET);
  await pause(Math.random() * arena.contestant.periodMs);
  const failedAtMs = flow.nowMs;
  await fail();
  const recovered = await flow.untilArriving(0.98, 500, withinMs);
  await pause(APART_MS);
  const backAtMs = flow.nowMs;
  await arena.setLink(SOURCE, TARGET, { cut: false, lossPpm: 0 });
  const returned = await untilNextHop(arena, flow, (hop) => hop === TARGET);
  await pause(APART_MS);
  return { failedAtMs, backAtMs, endMs: flow.nowMs, recovered, returned };
}

async function crashRelay(arena: Arena, flow: MeasuredFlow): Promise<Repetition> {
  await pause(Math.random() * arena.contestant.periodMs);
  let relay: string | null = null;
  await arena.until('the relay in use is seen', async () => {
    relay = await arena.nextHop(SOURCE, flow.packetsPerSecond);
    return relay !== null && relay !== TARGET;
  });
  const host = relay ?? 'r';
  const failedAtMs = flow.nowMs;
  await arena.lab.powerOff(host);
  const recovered = await flow.untilArriving(0.98, 500, RECOVER_MS);
  await pause(APART_MS);
  const backAtMs = flow.nowMs;
  await arena.lab.powerOn(host);
  await arena.mesh.revive(host);
  await arena.counters.install(host);
  const links = [
    [SOURCE, host],
    [host, TARGET],
    [TARGET, host],
    [host, SOURCE],
  ] as const;
  let returned = true;
  for (const [from = '', to = ''] of links) {
    if (!returned) break;
    const direct = arena.until(`${from} reaches ${to}`, () => arena.mesh.isDirect(from, to), RETURN_MS);
    returned = await direct.then(
      () => true,
      () => false,
    );
  }
  await pause(APART_MS);
  return { failedAtMs, backAtMs, endMs: flow.nowMs, recovered, returned };
}

async function flap(arena: Arena, flow: MeasuredFlow): Promise<Repetition> {
  const failedAtMs = flow.nowMs;
  for (let cut = 0; cut < FLAP_CUTS; cut++) {
    await arena.setLink(SOURCE, TARGET, { cut: true });
    await pause(Math.max(0, failedAtMs + (2 * cut + 1) * FLAP_MS - flow.nowMs));
    await arena.setLink(SOURCE, TARGET, { cut: false });
    if (cut < FLAP_CUTS - 1) await pause(Math.max(0, failedAtMs + (2 * cut + 2) * FLAP_MS - flow.nowMs));
  }
  const backAtMs = flow.nowMs;
  const recovered = await flow.untilArriving(0.98, 500, RECOVER_MS);
  const returned = await untilNextHop(arena, flow, (hop) => hop === TARGET);
  await pause(APART_MS);
  return { failedAtMs, backAtMs, endMs: flow.nowMs, recovered, returned };
}

async function reroute(arena: Arena, flow: MeasuredFlow): Promise<Repetition> {
  const move = async (away: boolean) => {
    if (arena.contestant.plannedMove === 'cost') return arena.mesh.setDear(SOURCE, TARGET, away);
    // the lab's own delay of this link is 2.5 ms each way
    return arena.setLink(SOURCE, TARGET, { oneWayDelayUs: away ? DEAR_DELAY_US : 2_500 });
  };
  const failedAtMs = flow.nowMs;
  await move(true);
  const recovered = await untilNextHop(arena, flow, (hop) => hop !== null && hop !== TARGET);
  await pause(APART_MS);
  const backAtMs = flow.nowMs;
  await move(false);
  const returned = await untilNextHop(arena, flow, (hop) => hop === TARGET);
  await pause(APART_MS);
  return { failedAtMs, backAtMs, endMs: flow.nowMs, recovered, returned };
}

async function untilNextHop(
  arena: Arena,
  flow: MeasuredFlow,
  wanted: (hop: string | null) => boolean,
): Promise<boolean> {
  const check = async () => wanted(await arena.nextHop(SOURCE, flow.packetsPerSecond));
  return arena.until('traffic goes another way', check, RETURN_MS).then(
    () => true,
    () => false,
  );
}
