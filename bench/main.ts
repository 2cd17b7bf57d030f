/**
 * `npm run -s bench -- NAME [--json] [--KEY VALUE ...]`: one benchmark, whose result is one object. Figures and what
 * they are held against are in docs/benchmarks.md.
 */
import { parseArgs } from 'node:util';
import { ThalwegError } from '../protocol/error.ts';
import { benchAgentFootprint } from './agent-footprint.ts';
import { benchThroughput } from './throughput.ts';

const BENCHMARKS: Readonly<Record<string, (values: Values) => Promise<unknown>>> = {
  throughput: (values) =>
    benchThroughput({ rounds: whole(values.rounds, 'rounds', 5), seconds: whole(values.seconds, 'seconds', 4) }),
  'agent-footprint': (values) =>
    benchAgentFootprint({ peers: whole(values.peers, 'peers', 12), seconds: whole(values.seconds, 'seconds', 60) }),
};

interface Values {
  readonly rounds?: string | undefined;
  readonly seconds?: string | undefined;
  readonly peers?: string | undefined;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      peers: { type: 'string' },
    },
  });
  const [name = ''] = positionals;
  const benchmark = BENCHMARKS[name];
  if (benchmark === undefined || positionals.length !== 1) {
    throw new ThalwegError('invalid_argument', `no benchmark is named ${JSON.stringify(positionals.join(' '))}`, {
      nextStep: `name one of: ${Object.keys(BENCHMARKS).join(', ')}`,
    });
  }
  const result = await benchmark(values);
  process.stdout.write(`${JSON.stringify(result, null, values.json ? undefined : 2)}\n`);
}

function whole(text: string | undefined, field: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value < 1) throw new ThalwegError('invalid_argument', `--${field} ${text} is not a whole number from 1 to 9999`);
  return value;
}

main().catch((error: unknown) => {
  const known = error instanceof ThalwegError ? error : undefined;
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  if (known?.nextStep !== undefined) process.stderr.write(`  next: ${known.nextStep}\n`);
  process.exitCode = known?.code === 'invalid_argument' ? 2 : 1;
});
