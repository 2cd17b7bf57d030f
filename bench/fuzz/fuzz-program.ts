/**
 * `npm run fuzz -- [--seconds N] [--target T] [--seed S] [--json]`: each decoder for N seconds with inputs that are made of valid
 * ones, guided by what they cover. Prints how many inputs ran and what crashed; exit code 1 when something did.
 */
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ThalwegError } from '../../protocol/error.ts';
import type { FuzzReport } from './fuzz-loop.ts';
import type { FuzzWord, FuzzWork } from './fuzz-worker.ts';
import { MAX_INPUT_BYTES } from './mutation.ts';
import { allTargets } from './targets.ts';

/** One input that takes longer than this hangs: thousands of them run in a second. */
const HANG_MS = 5_000;
/** Room for seeds that are longer than what is made of them. */
const SHARED_BYTES = 8 + 4 * MAX_INPUT_BYTES;
/** A decoder of a few kilobytes that needs more takes memory on somebody's word. */
const HEAP_MB = 512;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      target: { type: 'string' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds > 0 && seconds <= 86_400) || !Number.isInteger(seed)) {
    throw new ThalwegError('invalid_argument', `--seconds ${values.seconds} --seed ${values.seed} are not numbers`);
  }
  const names = (await allTargets()).map(({ name }) => name);
  const wanted = values.target === undefined ? names : values.target.split(',');
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ThalwegError('invalid_argument', `no target is named ${unknown}`, {
      nextStep: `name some of: ${names.join(', ')}`,
    });
  }
  const reports = await fuzzAll(wanted, seed, seconds * 1_000, values.json ? () => {} : print);
  const inputs = reports.reduce((sum, report) => sum + report.inputs, 0);
  const crashes = reports.reduce((sum, report) => sum + report.crashes.length, 0);
  if (values.json) process.stdout.write(`${JSON.stringify({ inputs, crashes, seed, seconds, targets: reports })}\n`);
  else process.stdout.write(`${reports.length} targets, ${inputs} inputs, ${crashes} crashes\n`);
  if (crashes > 0) process.exitCode = 1;
}

function print({ target, inputs, corpus, functions, crashes }: FuzzReport): void {
  const counts = `${inputs} inputs, ${corpus} in the corpus, ${functions} functions`;
  process.stdout.write(`${target}: ${counts}, ${crashes.length} crashes\n`);
  for (const { message, at, inputBase64 } of crashes) {
    process.stdout.write(`  ${message}\n  ${at}\n  ${inputBase64}\n`);
  }
}

async function fuzzAll(
  wanted: readonly string[],
  seed: number,
  milliseconds: number,
  onReport: (report: FuzzReport) => void,
): Promise<FuzzReport[]> {
  const reports: FuzzReport[] = [];
  const take = (report: FuzzReport): void => {
    reports.push(report);
    onReport(report);
  };
  for (;;) {
    const targets = wanted.filter((name) => !reports.some(({ target }) => target === name));
    if (targets.length === 0) return reports;
    const broken = await fuzzInThread(targets, seed, milliseconds, take);
    if (broken !== null) take(broken);
  }
}

/** Null: all went to their end. Else what the thread did not survive, which is a crash by the input that it had then. */
function fuzzInThread(
  targets: readonly string[],
  seed: number,
  milliseconds: number,
  take: (report: FuzzReport) => void,
): Promise<FuzzReport | null> {
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const header = new Int32Array(shared, 0, 2);
  const work: FuzzWork = { targets, seed, milliseconds, shared };
  const worker = new Worker(new URL('./fuzz-worker.js', import.meta.url), {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  return new Promise((resolve, reject) => {
    let current: string | null = null;
    let [seen, since] = [-1, performance.now()];
    const finish = (broken: FuzzReport | null): void => {
      clearInterval(watch);
      void worker.terminate();
      resolve(broken);
    };
    const failed = (message: string): void => {
      if (current === null) {
        clearInterval(watch);
        reject(new ThalwegError('internal', `the fuzzer's thread did not begin: ${message}`));
        return;
      }
      const input = Buffer.from(new Uint8Array(shared, 8, header[0] ?? 0)).toString('base64');
      const crash = { message, at: '', inputBase64: input };
      finish({ target: current, inputs: header[1] ?? 0, corpus: 0, functions: 0, crashes: [crash] });
    };
    const watch = setInterval(() => {
      const count = header[1] ?? 0;
      if (count !== seen || current === null) [seen, since] = [count, performance.now()];
      else if (performance.now() - since > HANG_MS) failed(`no end within ${HANG_MS} ms`);
    }, 250);
    worker.on('message', (word: FuzzWord) => {
      if ('begins' in word) current = word.begins;
      else take(word.report);
    });
    worker.once('error', (error) => failed(error.message));
    worker.once('exit', () => finish(null));
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`fuzz: ${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof ThalwegError && error.nextStep !== undefined)
    process.stderr.write(`  next: ${error.nextStep}\n`);
  process.exitCode = error instanceof ThalwegError && error.code === 'invalid_argument' ? 2 : 1;
});
