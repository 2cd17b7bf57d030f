/**
 * Kernel WireGuard and tc netem, which the machine that runs the tests may lack, in a guest with Debian's cloud kernel:
 * the whole of `thalweg lab run`, with the same programs and packages, on
 *
 *   aws ──── 40 ms, then 600 ms ──── onprem
 *     └─ 60 ms ── azure ── 40 ms ───────┘
 *
 * The guest is emulated, ten times slower than a machine; the scenario's delays and deadlines allow for it.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ScenarioResult } from '../../netlab/scenario/scenario-result.ts';
import { missingForGuest, runGuest, runtimePackages } from './guest.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
/** wireguard-go is not among them: a mesh that comes up there runs on the kernel's WireGuard. */
const PROGRAMS = ['ip', 'tc', 'nft', 'wg', 'sysctl', 'ping', 'nsenter', 'unshare', 'chrt', 'node', 'socat'];
const MODULES = [
  'veth',
  'bridge',
  'wireguard',
  'vxlan',
  'sch_netem',
  'sch_htb',
  'nf_tables',
  'nft_ct',
  'tun',
  'nft_numgen',
];
/** Emulated, with 24 s of scenario: one and a half to two and a half minutes here. */
const TIMEOUT_MS = 200_000;

/** As vitest.config.ts says: a busy machine gets a second chance, in an emulated one most of all. */
const ATTEMPTS = 2;

/** Seconds since 1970 by which all tests have to be over; without it they take what they take. */
const until = Number(process.env.THALWEG_TEST_UNTIL ?? Number.POSITIVE_INFINITY);

const missing = await missingForGuest();
const late = Date.now() + ATTEMPTS * TIMEOUT_MS > until * 1000;
const lacks = [
  ...(missing.length > 0 ? [`this machine lacks ${missing.join(', ')}`] : []),
  ...(late ? ['no time is left'] : []),
];
if (lacks.length > 0) console.warn(`SKIPPED kernel WireGuard and netem: ${lacks.join('; ')}`);

describe.skipIf(lacks.length > 0)('in a guest whose kernel has WireGuard and netem', () => {
  it(
    'the mesh joins on kernel WireGuard and steers around a degraded netem link',
    async () => {
      const files: Record<string, string> = {
        [join(CHECKOUT, 'dist')]: '/thalweg/dist',
        [join(CHECKOUT, 'package.json')]: '/thalweg/package.json',
        [join(import.meta.dirname, 'netem-detour.yaml')]: '/thalweg/netem-detour.yaml',
      };
      for (const path of await runtimePackages(CHECKOUT)) files[join(CHECKOUT, path)] = `/thalweg/${path}`;
      const output = await runGuest({
        programs: PROGRAMS,
        files,
        modules: MODULES,
        script: ['node /thalweg/dist/cli/main.js lab run /thalweg/netem-detour.yaml --json', 'echo; echo "exit $?"'],
        memoryMegabytes: 3072,
        timeoutMs: TIMEOUT_MS - 20_000,
      });
      const line = output.split('\n').find((text) => text.startsWith('{'));
      if (line === undefined) throw new Error(`no result:\n${output.slice(-3000)}`);
      const result = JSON.parse(line) as ScenarioResult;
      expect(result).toMatchObject({ scenario: 'netem-detour', driver: 'netem', reasons: [], ok: true });
    },
    TIMEOUT_MS,
  );
});
