/**
 * Our sender against a foreign reflector and our reflector against a foreign sender: stamp-peer.py, written from the
 * RFC without a look at our code.
 *
 *   our prober 127.0.86.1  --probes-->  Python reflector 127.0.86.2 (holds each packet 20 ms)
 *   Python sender          --probes-->  our prober 127.0.86.1
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { InProcessProber } from '../../overlay/stamp/in-process-prober.ts';
import type { LinkSummary, ProbeCounters } from '../../overlay/stamp/prober.ts';

const PEER_PROGRAM = fileURLToPath(new URL('stamp-peer.py', import.meta.url));
const OURS = '127.0.86.1';
const THEIRS = '127.0.86.2';
const PORT = 28_862;

const python = spawnSync('python3', ['--version']).status === 0;
if (!python) console.warn('SKIPPED: STAMP interoperability needs python3, which is not here (apt-get install python3)');

describe.skipIf(!python)('STAMP between ours and another implementation', () => {
  let prober: InProcessProber | undefined;
  let child: ChildProcess | undefined;
  afterEach(async () => {
    await prober?.stop();
    child?.kill('SIGKILL');
    prober = undefined;
    child = undefined;
  });

  async function until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  it('our sender measures a foreign reflector and takes the time it held the packets out', async () => {
    child = spawn('python3', [PEER_PROGRAM, 'reflect', THEIRS, `${PORT}`, '20'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.stdout !== null) await once(child.stdout, 'data');
    prober = new InProcessProber({}, { summaryIntervalMs: 50 });
    let link: LinkSummary | undefined;
    let counters: ProbeCounters | undefined;
    prober.onSummary(([summary], counts) => {
      link = summary;
      counters = counts;
    });
    await prober.start(OURS, PORT, { intervalMs: 50, deadAfterMs: 1000 });
    prober.setTargets([{ peerIndex: 2, address: THEIRS, port: PORT }]);
    await until('20 samples', () => (link?.samples ?? 0) >= 20);
    expect(link).toMatchObject({ health: 'up', lossOutPpm: 0, lossInPpm: 0 });
    // Held for 20 ms each, and yet:
    expect(link?.rttUs).toBeLessThan(10_000);
    expect(counters?.dropped['malformed']).toBe(0);
  }, 20_000);

  it.each([44, 45, 128, 1300])(
    'our reflector answers a foreign sender, %i bytes for as many',
    async (size) => {
      prober = new InProcessProber();
      await prober.start(OURS, PORT, { intervalMs: 200, deadAfterMs: 1000 });
      const { stdout } = await promisify(execFile)('python3', [PEER_PROGRAM, 'send', OURS, `${PORT}`, '4', `${size}`]);
      const exchanges = JSON.parse(stdout) as { sent: string; reply: string; from: [string, number]; back: string }[];
      expect(exchanges.length).toBe(4);
      exchanges.forEach(({ sent, reply, from, back }, i) => {
        expect(from).toEqual([OURS, PORT]);
        expect(reply.length).toBe(2 * size);
        const field = (at: number, bytes: number) => reply.slice(2 * at, 2 * (at + bytes));
        expect(field(0, 4)).toBe(i.toString(16).padStart(8, '0'));
        expect(field(14, 2)).toBe('0000');
        // Sequence, T1 and error estimate of the sender, byte for byte.
        expect(field(24, 14)).toBe(sent.slice(0, 28));
        expect(field(38, 2)).toBe('0000');
        expect(field(40, 4)).toBe('ff000000');
        expect(reply.slice(88)).toBe(sent.slice(88));
        const [t1, t2, t3, t4] = [field(28, 8), field(16, 8), field(4, 8), back].map((hex) => BigInt(`0x${hex}`));
        // Same machine, same wall clock (but for what it was stepped since we started): T1 <= T2 <= T3 <= T4.
        const slack = 2n ** 32n / 20n;
        expect(t2).toBeGreaterThan((t1 ?? 0n) - slack);
        expect(t3).toBeGreaterThanOrEqual(t2 ?? 0n);
        expect(t3).toBeLessThan((t4 ?? 0n) + slack);
        expect(Number.parseInt(field(13, 1), 16)).toBeGreaterThan(0);
      });
    },
    20_000,
  );
});
