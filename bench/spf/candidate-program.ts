/** Runs one implementation in a process of its own, so that its memory is its own; told by its parent what to do. */
import { CANDIDATES } from './candidates.ts';
import { Unfit } from './spf-candidate.ts';
import { readInput, type SpfRun } from './spf-input.ts';

/** What the parent sends: the run once, then round after round, then finish. */
export type CandidateCommand =
  | { readonly kind: 'open'; readonly run: SpfRun; readonly name: string }
  | { readonly kind: 'round' }
  | { readonly kind: 'finish' };

export type CandidateAnswer =
  | { readonly kind: 'opened' }
  | { readonly kind: 'unfit'; readonly why: string }
  | { readonly kind: 'round'; readonly samplesMs: readonly number[] }
  | { readonly kind: 'finished'; readonly checksum: string; readonly peakMb: number }
  | { readonly kind: 'failed'; readonly message: string };

type Handler = (command: CandidateCommand) => Promise<CandidateAnswer>;

function handler(): Handler {
  let open: Awaited<ReturnType<(typeof CANDIDATES)['sssp'][number]['open']>> | undefined;
  return async (command) => {
    if (command.kind === 'open') {
      const candidate = CANDIDATES[command.run.task].find(({ name }) => name === command.name);
      if (candidate === undefined) throw new Error(`no implementation ${command.name}`);
      open = await candidate.open(await readInput(command.run));
      return { kind: 'opened' };
    }
    if (open === undefined) throw new Error('not opened');
    if (command.kind === 'round') return { kind: 'round', samplesMs: await open.round() };
    const checksum = await open.checksum();
    const peakMb = (await open.peakMegabytes?.()) ?? process.resourceUsage().maxRSS / 1024;
    await open.close?.();
    return { kind: 'finished', checksum, peakMb };
  };
}

const handle = handler();
process.on('message', (command: CandidateCommand) => {
  handle(command)
    .catch((error: unknown): CandidateAnswer => {
      if (error instanceof Unfit) return { kind: 'unfit', why: error.message };
      return { kind: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    })
    .then((answer) => {
      process.send?.(answer, undefined, undefined, () => {
        if (answer.kind !== 'opened' && answer.kind !== 'round') process.disconnect();
      });
    });
});
