/**
 * One suite for every Prober: over real UDP sockets on 127.0.0.x.
 *
 *   prober A 127.0.87.1 <-- probes and replies --> prober B 127.0.87.2 (and 127.0.87.3, where nobody answers)
 */
import { createSocket, type Socket } from 'node:dgram';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { InProcessProber } from '../../overlay/stamp/in-process-prober.ts';
import type { LinkSummary, ProbeCounters, Prober } from '../../overlay/stamp/prober.ts';
import { WorkerProber } from '../../overlay/stamp/worker-prober.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { buildStamp, type StampBuild } from './stamp-build.ts';

const SETTINGS = { intervalMs: 20, deadAfterMs: 300 };
const A = '127.0.87.1';
const B = '127.0.87.2';
const NOBODY = '127.0.87.3';
const PORT = 28_620;

let build: StampBuild;
beforeAll(() => {
  build = buildStamp();
}, 60_000);
afterAll(() => build?.remove());

interface Watched {
  readonly prober: Prober;
  summaries: readonly LinkSummary[];
  counters: ProbeCounters | undefined;
}

const kinds: readonly { name: string; make: (options?: { allowedRange?: string }) => Prober }[] = [
  { name: 'in-process', make: (options) => new InProcessProber({}, { summaryIntervalMs: 50, ...options }) },
  {
    name: 'worker',
    make: (options) => new WorkerProber({}, { summaryIntervalMs: 50, workerUrl: build.workerUrl, ...options }),
  },
];

async function until(what: string, condition: () => boolean, withinMs = 8000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.each(kinds)('$name prober', ({ make }) => {
  const started: Prober[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((prober) => prober.stop()));
    for (const socket of sockets.splice(0)) socket.close();
  });

  function watch(prober: Prober): Watched {
    const watched: Watched = { prober, summaries: [], counters: undefined };
    prober.onSummary((summaries, counters) => {
      watched.summaries = summaries;
      watched.counters = counters;
    });
    started.push(prober);
    return watched;
  }

  async function up(address: string, options?: { allowedRange?: string }): Promise<Watched> {
    const watched = watch(make(options));
    await watched.prober.start(address, PORT, SETTINGS);
    return watched;
  }

  const linkTo = (w: Watched, peerIndex: number) => w.summaries.find((s) => s.peerIndex === peerIndex);

  async function rawSocket(address: string): Promise<Socket> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    sockets.push(socket);
    return socket;
  }

  it('measures a peer that answers and none that does not', async () => {
    const a = await up(A);
    await up(B);
    a.prober.setTargets([
      { peerIndex: 2, address: B, port: PORT },
      { peerIndex: 3, address: NOBODY, port: PORT },
    ]);
    await until('link 2 has loss figures', () => typeof linkTo(a, 2)?.lossOutPpm === 'number');
    const link = linkTo(a, 2);
    expect(link).toMatchObject({ health: 'up', lossOutPpm: 0, lossInPpm: 0 });
    expect(link?.rttUs).toBeGreaterThan(0);
    expect(link?.rttUs).toBeLessThan(20_000);
    expect(link?.minRttUs).toBeLessThanOrEqual(link?.rttUs ?? 0);
    expect(linkTo(a, 3)).toEqual({
      peerIndex: 3,
      health: 'unmeasured',
      rttUs: null,
      minRttUs: null,
      jitterUs: null,
      lossOutPpm: null,
      lossInPpm: null,
      samples: 0,
      grey: false,
    });
    expect(a.counters?.received).toBeLessThan(a.counters?.sent ?? 0);
  });

  it('says down when the peer stops and up when it is back, without being told anything else', async () => {
    const a = await up(A);
    const b = await up(B);
    a.prober.setTargets([{ peerIndex: 2, address: B, port: PORT }]);
    await until('up', () => linkTo(a, 2)?.health === 'up');
    await b.prober.stop();
    await until('down', () => linkTo(a, 2)?.health === 'down');
    expect(linkTo(a, 2)).toMatchObject({ rttUs: null, jitterUs: null, lossOutPpm: null, samples: 0 });
    await up(B);
    await until('up again', () => linkTo(a, 2)?.health === 'up' && linkTo(a, 2)?.rttUs !== null);
  });

  it('keeps the state of targets that stay and forgets those that go', async () => {
    const a = await up(A);
    await up(B);
    const target = { peerIndex: 2, address: B, port: PORT };
    a.prober.setTargets([target]);
    await until('10 samples', () => (linkTo(a, 2)?.samples ?? 0) >= 10);
    a.prober.setTargets([{ peerIndex: 3, address: NOBODY, port: PORT }, { ...target }]);
    await until('both are told', () => a.summaries.length === 2);
    expect(linkTo(a, 2)).toMatchObject({ health: 'up' });
    expect(linkTo(a, 2)?.samples).toBeGreaterThanOrEqual(10);
    a.prober.setTargets([]);
    await until('none is told', () => a.summaries.length === 0);
  });

  it('names address and port when the port is taken, and can be started again afterwards', async () => {
    const holder = createSocket('udp4');
    await new Promise<void>((resolve) => holder.bind(PORT, A, resolve));
    const a = watch(make());
    const refusal = await a.prober.start(A, PORT, SETTINGS).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ThalwegError);
    expect(refusal).toMatchObject({ code: 'port_in_use', fields: { address: A, port: PORT } });
    expect(String(refusal)).toContain(`${PORT}`);
    expect(String(refusal)).toContain(A);
    await new Promise<void>((resolve) => holder.close(() => resolve()));
    await a.prober.start(A, PORT, SETTINGS);
  });

  it('says unreachable, after a while, for an address this host does not have', async () => {
    const a = watch(make());
    const begunAt = performance.now();
    // 192.0.2.0/24 is for documentation (RFC 5737).
    await expect(a.prober.start('192.0.2.77', PORT, SETTINGS)).rejects.toMatchObject({ code: 'unreachable' });
    expect(performance.now() - begunAt).toBeGreaterThan(2000);
  }, 15_000);

  it('refuses targets and settings that cannot work', () => {
    const { prober } = watch(make());
    expect(() => prober.setTargets([{ peerIndex: 2, address: 'fd00::1', port: 1 }])).toThrow(/fd00::1.*not IPv4/);
    expect(() => prober.setTargets([{ peerIndex: 2, address: B, port: 0 }])).toThrow(/port 0/);
    expect(() => prober.setSettings({ intervalMs: 200, deadAfterMs: 300 })).toThrow(/deadAfterMs 300/);
  });

  it('answers nobody outside the allowed range, and nothing that is too short', async () => {
    const b = await up(B, { allowedRange: '127.0.87.0/28' });
    const near = await rawSocket(A);
    const far = await rawSocket('127.0.88.1');
    const answers: string[] = [];
    near.on('message', (packet) => answers.push(`near ${packet.length}`));
    far.on('message', () => answers.push('far'));
    far.send(Buffer.alloc(44), PORT, B);
    near.send(Buffer.alloc(43), PORT, B);
    near.send(Buffer.alloc(100), PORT, B);
    await until('the good one is answered', () => answers.length > 0);
    await until('the others are counted', () => b.counters?.dropped['foreign_source'] === 1);
    expect(answers).toEqual(['near 100']);
    expect(b.counters?.dropped['malformed']).toBe(1);
    expect(b.counters?.reflected).toBe(1);
  });

  it('counts a send the kernel refuses and goes on', async () => {
    const a = await up(A);
    await up(B);
    // Without SO_BROADCAST the kernel refuses this address with EACCES.
    a.prober.setTargets([
      { peerIndex: 4, address: '255.255.255.255', port: PORT },
      { peerIndex: 2, address: B, port: PORT },
    ]);
    await until('send_failed', () => (a.counters?.dropped['send_failed'] ?? 0) > 3);
    await until('the other link is up', () => linkTo(a, 2)?.health === 'up');
  });

  it('leaves no socket behind, and stops twice', async () => {
    const a = await up(A);
    await a.prober.stop();
    await a.prober.stop();
    await up(A);
  });
});

describe('worker prober', () => {
  it('starts a thread that died again, with its targets, and counters do not run backwards', async () => {
    const a = new WorkerProber({}, { summaryIntervalMs: 50, workerUrl: build.url('overlay/stamp/dying-worker.js') });
    const b = new InProcessProber({}, {});
    // The built entry, plus an exit after half a second.
    const { writeFileSync } = await import('node:fs');
    writeFileSync(
      build.url('overlay/stamp/dying-worker.js'),
      "import './prober-worker.js'; setTimeout(() => process.exit(7), 500);",
    );
    try {
      let link: LinkSummary | undefined;
      let received = 0;
      const healths = new Set<string>();
      a.onSummary((summaries, counters) => {
        link = summaries[0];
        if (link?.health !== undefined && received > 0) healths.add(link.health);
        expect(counters.received).toBeGreaterThanOrEqual(received);
        received = counters.received;
      });
      await b.start(B, PORT, SETTINGS);
      a.setTargets([{ peerIndex: 2, address: B, port: PORT }]);
      await a.start(A, PORT, SETTINGS);
      await until('two restarts', () => a.restarts >= 2, 15_000);
      const before = received;
      await until('probing goes on', () => received > before + 5 && link?.health === 'up');
      expect(healths.has('down')).toBe(false);
    } finally {
      await Promise.all([a.stop(), b.stop()]);
    }
  }, 30_000);
});

describe('a stall of the event loop', () => {
  it('of 500 ms takes no link down and puts no sample into its RTT', async () => {
    const a = new InProcessProber({}, { summaryIntervalMs: 20 });
    const b = new WorkerProber({}, { workerUrl: build.workerUrl });
    const healths: string[] = [];
    let rttUs = 0;
    let counters: ProbeCounters | undefined;
    a.onSummary((summaries, now) => {
      healths.push(summaries[0]?.health ?? 'none');
      rttUs = Math.max(rttUs, summaries[0]?.rttUs ?? 0);
      counters = now;
    });
    try {
      await b.start(B, PORT, SETTINGS);
      await a.start(A, PORT, { intervalMs: 20, deadAfterMs: 100 });
      a.setTargets([{ peerIndex: 2, address: B, port: PORT }]);
      await until('up', () => healths.at(-1) === 'up');
      healths.length = 0;
      let maxLagMs = 0;
      a.onSummary((_, { maxLagMs: lag }) => {
        maxLagMs = Math.max(maxLagMs, lag);
      });
      for (let stall = 0; stall < 3; stall++) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
        const seen = counters?.received ?? 0;
        await until('replies come in again', () => (counters?.received ?? 0) > seen + 10);
      }
      expect(new Set(healths)).toEqual(new Set(['up']));
      expect(maxLagMs).toBeGreaterThan(400);
      expect(rttUs).toBeLessThan(100_000);
    } finally {
      await Promise.all([a.stop(), b.stop()]);
    }
  }, 30_000);
});
