/** A lab in which one contestant runs: four hosts, every pair linked. What is asked of it while traffic flows. */
import { setTimeout as pause } from 'node:timers/promises';
import { Lab, type LabSpec } from '../../netlab/lab.ts';
import { CORE_HOST } from '../../netlab/lab-spec.ts';
import { type LinkShape, PERFECT_LINK } from '../../netlab/link-shape.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { silentLogger } from '../../protocol/log.ts';
import type { Contestant, OpenContestant } from './contestant.ts';
import { HostCounters } from './host-counters.ts';

/** OSPF's defaults take 40 s until neighbours are adjacent; a mesh on a busy machine takes its time, too. */
const READY_MS = 120_000;
const POLL_MS = 250;

export interface ArenaSpec {
  readonly hosts: readonly string[];
  /** RTT of each link, in milliseconds, both directions alike. */
  readonly rttMs: (from: string, to: string) => number;
  /** Delays will be given to links later. */
  readonly delaysLater: boolean;
  /** So many agents probe on a machine's few CPUs: for big arenas, what the clouds' scenario sets. */
  readonly core: LabSpec['core'];
}

export class Arena {
  readonly lab: Lab;
  readonly mesh: OpenContestant;
  readonly contestant: Contestant;
  readonly counters: HostCounters;

  private constructor(lab: Lab, contestant: Contestant, mesh: OpenContestant) {
    this.lab = lab;
    this.contestant = contestant;
    this.mesh = mesh;
    this.counters = new HostCounters(lab);
  }

  /** Builds the lab, starts the contestant, runs `body` once everybody has a way to everybody, takes the lab down. */
  static async with<T>(contestant: Contestant, spec: ArenaSpec, body: (arena: Arena) => Promise<T>): Promise<T> {
    const lab = await Lab.up(
      {
        name: `peers-${process.pid}`,
        hosts: spec.hosts.map((name) => ({ name, transit: true })),
        links: (from, to) => ([from, to].includes(CORE_HOST) ? PERFECT_LINK : shapeOf(spec.rttMs(from, to))),
        delaysLater: spec.delaysLater,
        core: { ...spec.core, ...contestant.labSettings.core },
        agent: contestant.labSettings.agent,
        keepOnExit: false,
      },
      { log: silentLogger },
    );
    try {
      const arena = new Arena(lab, contestant, contestant.open(lab, spec.rttMs));
      await arena.mesh.start();
      for (const host of spec.hosts) await arena.counters.install(host);
      for (const from of spec.hosts) {
        for (const to of spec.hosts) {
          if (from !== to) await arena.until(`${from} has a way to ${to}`, () => arena.mesh.reaches(from, to));
        }
      }
      return await body(arena);
    } finally {
      await lab.down();
    }
  }

  /** Throws timeout. */
  async until(what: string, check: () => Promise<boolean>, withinMs = READY_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!(await check().catch(() => false))) {
      if (performance.now() > deadline) {
        throw new ThalwegError('timeout', `${this.contestant.name}: not within ${withinMs / 1000} s: ${what}`);
      }
      await pause(POLL_MS);
    }
  }

  /** The host that `from` now sends most of its packets to; null when that is not `packetsPerSecond` or nearly so. */
  async nextHop(from: string, packetsPerSecond: number): Promise<string | null> {
    const started = performance.now();
    const before = await this.counters.read(from);
    await pause(POLL_MS);
    const after = await this.counters.read(from);
    const due = ((performance.now() - started) / 1000) * packetsPerSecond;
    let best: { name: string; count: number } | null = null;
    for (const { name } of this.lab.hosts) {
      const count = (after.get(`to_${name}`) ?? 0) - (before.get(`to_${name}`) ?? 0);
      if (count > (best?.count ?? 0)) best = { name, count };
    }
    // The readings take time themselves, in which packets count once and time twice.
    return best !== null && best.count > due / 2 ? best.name : null;
  }

  /** Both directions at one moment. */
  async setLink(a: string, b: string, patch: Partial<LinkShape>): Promise<void> {
    await this.lab.setLinks([
      { from: a, to: b, patch },
      { from: b, to: a, patch },
    ]);
  }
}

export function shapeOf(rttMs: number): LinkShape {
  return { ...PERFECT_LINK, oneWayDelayUs: rttMs * 500 };
}
