/** The one nft table in the kernel: read, made as wanted, taken away. */
import { isDeepStrictEqual } from 'node:util';
import { ThalwegError } from '../../protocol/error.ts';
import { type CommandRunner, commandFailure, runChecked } from '../command-runner.ts';
import { NFT_TABLE } from '../overlay-names.ts';
import type { DemandCounter, DesiredOverlay, TrafficCount } from '../overlay-state.ts';
import { filterSets, filterSetTypes, setScript } from './filter-sets.ts';
import { holdsRuleset, type NftTable, parseNftTable } from './nft-json.ts';
import { REMOVE_SCRIPT, renderRuleset, sameRules } from './ruleset.ts';

export class KernelNftTable {
  readonly #runner: CommandRunner;

  constructor(deps: { readonly runner: CommandRunner }) {
    this.#runner = deps.runner;
  }

  /** As much of it as tells whether it is the wanted one. Null: there is none. */
  readFor(desired: DesiredOverlay): Promise<NftTable | null> {
    return this.#read(filterSetTypes(desired).size > 0 ? 'full' : 'terse');
  }

  /** Makes the table that was read the wanted one. Other rules replace it whole, in one transaction. */
  async apply(held: NftTable | null, desired: DesiredOverlay, changes: string[]): Promise<void> {
    const ruleset = renderRuleset(desired);
    if (held !== null && holdsRuleset(held, ruleset)) {
      await this.#runScript(setScript(held.filters, filterSets(desired)), changes);
      return;
    }
    await runChecked(this.#runner, ['nft', '-f', '-'], { stdin: ruleset.script }).catch((cause: unknown) => {
      throw desired.policy === null ? cause : policyRefused(cause);
    });
    changes.push(`nft table inet ${NFT_TABLE}`);
  }

  /** False where the two have not the same rules. Otherwise the sets of the one become those of the other. */
  async applySets(before: DesiredOverlay, after: DesiredOverlay, changes: string[]): Promise<boolean> {
    if (before.policy === after.policy && isDeepStrictEqual(before.peers, after.peers)) return true;
    if (!sameRules(before, after)) return false;
    await this.#runScript(setScript(filterSets(before), filterSets(after)), changes);
    return true;
  }

  async demandCounters(): Promise<readonly DemandCounter[]> {
    return (await this.#read('full'))?.demand ?? [];
  }

  /** Since the table was made; null where there is no policy. */
  async denied(): Promise<TrafficCount | null> {
    return (await this.#read('terse'))?.denied ?? null;
  }

  async remove(changes: string[]): Promise<void> {
    if ((await this.#read('terse')) === null) return;
    await runChecked(this.#runner, ['nft', '-f', '-'], { stdin: REMOVE_SCRIPT });
    changes.push(`nft delete table inet ${NFT_TABLE}`);
  }

  async #runScript(lines: readonly string[], changes: string[]): Promise<void> {
    if (lines.length === 0) return;
    await runChecked(this.#runner, ['nft', '-f', '-'], { stdin: `${lines.join('\n')}\n` });
    for (const line of lines) changes.push(`nft ${line.slice(0, line.indexOf(' {'))}`);
  }

  /** `terse` leaves the elements of sets out. */
  async #read(extent: 'terse' | 'full'): Promise<NftTable | null> {
    const argv = ['nft', '-j', ...(extent === 'terse' ? ['-t'] : []), 'list', 'table', 'inet', NFT_TABLE];
    const result = await this.#runner.run(argv);
    if (result.exitCode !== 0) {
      if (/No such file or directory|does not exist/i.test(result.stderr)) return null;
      throw commandFailure(argv, result);
    }
    const parsed = parseNftTable(result.stdout);
    if (parsed.ok) return parsed.value;
    throw new ThalwegError('command_failed', `nft: output not understood: ${parsed.reason}`, {
      fields: { program: 'nft' },
    });
  }
}

/** Without a policy the same kernel took the table: what it lacks is the tracking of connections. */
function policyRefused(cause: unknown): unknown {
  if (!(cause instanceof ThalwegError) || !/could not process rule|not supported/i.test(cause.message)) return cause;
  return new ThalwegError('missing_kernel_feature', `the kernel does not take the policy's rules: ${cause.message}`, {
    cause,
    nextStep: 'load the modules nf_conntrack and nft_ct, or take the node out of the policy',
  });
}
