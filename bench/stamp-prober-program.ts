/**
 * What probing costs: a worker prober with 12 peers at 5 probes/s each way, beside a bare Node process in the same run.
 * Prints one JSON object. Run from a build:  node dist/bench/stamp-prober-program.js [seconds]
 *
 *   measured 127.0.85.1 --12 x 5/s--> 127.0.85.11 to .22 (one process) --12 x 5/s--> 127.0.85.1
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { InProcessProber } from '../overlay/stamp/in-process-prober.ts';
import type { ProbeCounters } from '../overlay/stamp/prober.ts';
import { WorkerProber } from '../overlay/stamp/worker-prober.ts';

const PEERS = 12;
const PORT = 28_850;
const SETTINGS = { intervalMs: 200, deadAfterMs: 1000 };
const MEASURED = '127.0.85.1';
/** Start-up and compilation are not what a day of probing costs. */
const WARM_UP_MS = 5000;

const peerAddress = (i: number) => `127.0.85.${11 + i}`;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const [role = 'all', secondsText = '20'] = process.argv.slice(2);

if (role === 'bare' || role === 'measured') {
  let counters: ProbeCounters | undefined;
  if (role === 'measured') {
    const prober = new WorkerProber();
    prober.onSummary((_, latest) => {
      counters = latest;
    });
    prober.setTargets(
      Array.from({ length: PEERS }, (_, i) => ({ peerIndex: i + 2, address: peerAddress(i), port: PORT })),
    );
    await prober.start(MEASURED, PORT, SETTINGS);
  }
  await sleep(WARM_UP_MS);
  const before = process.cpuUsage();
  const begunAt = performance.now();
  await sleep(Number(secondsText) * 1000);
  const { user, system } = process.cpuUsage(before);
  const cpuPercent = (user + system) / 10 / (performance.now() - begunAt);
  const rssMiB = process.memoryUsage.rss() / 2 ** 20;
  process.stdout.write(JSON.stringify({ cpuPercent, rssMiB, counters }));
  process.exit(0);
} else if (role === 'peers') {
  for (let i = 0; i < PEERS; i++) {
    const prober = new InProcessProber();
    prober.setTargets([{ peerIndex: 1, address: MEASURED, port: PORT }]);
    await prober.start(peerAddress(i), PORT, SETTINGS);
  }
} else {
  const seconds = role === 'all' ? '20' : role;
  const self = fileURLToPath(import.meta.url);
  const run = (name: string) =>
    new Promise<unknown>((resolve) => {
      let output = '';
      const child = spawn(process.execPath, [self, name, seconds], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.on('data', (text) => {
        output += text;
      });
      child.on('exit', () => resolve(JSON.parse(output)));
    });
  const peers = spawn(process.execPath, [self, 'peers'], { stdio: 'inherit' });
  try {
    const [bare, measured] = await Promise.all([run('bare'), run('measured')]);
    console.log(JSON.stringify({ peers: PEERS, probesPerS: PEERS * 5, seconds: Number(seconds), bare, measured }));
  } finally {
    peers.kill();
  }
}
