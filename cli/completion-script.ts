/**
 * Completion scripts for bash, zsh and fish. All three are one table, written in each shell's way: for each chain of
 * command words ("", "node", "node show") the subcommands, flags and fixed choices that may follow it.
 */
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow one chain of command words. */
export interface CompletionEntry {
  /** `''`, `node`, `node show`. */
  readonly chain: string;
  readonly words: readonly CompletionWord[];
}

export interface CompletionWord {
  readonly word: string;
  readonly description: string;
  /** A flag that takes a value. */
  readonly takesValue: boolean;
}

/** Pure; sorted as the commands are declared. */
export function completionEntries(program: Command): CompletionEntry[] {
  const entries: CompletionEntry[] = [];
  const visit = (command: Command, chain: string): void => {
    const children = command.commands.filter((child) => child.name() !== 'help');
    const words = [
      ...children.map((child) => ({ word: child.name(), description: child.description(), takesValue: false })),
      ...command.registeredArguments
        .flatMap((argument) => argument.argChoices ?? [])
        .map((choice) => ({ word: choice, description: '', takesValue: false })),
      ...command.options.map((option) => ({
        word: option.long ?? option.short ?? '',
        description: option.description,
        takesValue: option.required || option.optional,
      })),
      { word: '--help', description: 'show help', takesValue: false },
    ];
    entries.push({ chain, words });
    for (const child of children) visit(child, `${chain} ${child.name()}`.trim());
  };
  visit(program, '');
  return entries;
}

export function completionScript(shell: Shell, program: Command): string {
  const entries = completionEntries(program);
  if (shell === 'bash') return bashScript(entries);
  return shell === 'zsh' ? zshScript(entries) : fishScript(entries);
}

/** Flags after which a value is awaited: there the shell's file completion is the best guess. */
function valueFlags(entries: readonly CompletionEntry[]): string[] {
  return [...new Set(entries.flatMap((entry) => entry.words.filter((w) => w.takesValue).map((w) => w.word)))];
}

/** Statements that leave in $chain the known command words before the cursor. `words` is how the shell names them. */
function chainLoop(entries: readonly CompletionEntry[], each: string): string {
  const chains = entries.filter((entry) => entry.chain !== '').map((entry) => `'${entry.chain}'`);
  return `  local chain='' candidate word skip=''
  for word in ${each}; do
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "$word" in
      ${valueFlags(entries).join('|')}) skip=1; continue ;;
      -*) continue ;;
    esac
    candidate="\${chain:+$chain }$word"
    case "$candidate" in
      ${chains.join('|')}) chain="$candidate" ;;
    esac
  done`;
}

function bashScript(entries: readonly CompletionEntry[]): string {
  const cases = entries.map((entry) => `    '${entry.chain}') list='${entry.words.map((w) => w.word).join(' ')}' ;;`);
  return `# bash completion for thalweg: source <(thalweg completion bash)
_thalweg() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}" list=''
  COMPREPLY=()
  case "$previous" in
    ${valueFlags(entries).join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
${chainLoop(entries, `"\${COMP_WORDS[@]:1:COMP_CWORD-1}"`)}
  case "$chain" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$list" -- "$current"))
}
complete -F _thalweg thalweg
`;
}

function zshScript(entries: readonly CompletionEntry[]): string {
  const cases = entries.map((entry) => {
    const items = entry.words.map((w) => `'${w.word}:${quoteZsh(w.description)}'`);
    return `    '${entry.chain}') list=(${items.join(' ')}) ;;`;
  });
  return `#compdef thalweg
# zsh completion for thalweg: source <(thalweg completion zsh)
_thalweg() {
  local -a list
  case "\${words[CURRENT-1]}" in
    ${valueFlags(entries).join('|')}) _files; return ;;
  esac
${chainLoop(entries, `"\${(@)words[2,CURRENT-1]}"`)}
  case "$chain" in
${cases.join('\n')}
  esac
  _describe 'thalweg' list
}
if [[ "\${funcstack[1]}" = _thalweg ]]; then _thalweg "$@"; elif (( $+functions[compdef] )); then compdef _thalweg thalweg; fi
`;
}

function fishScript(entries: readonly CompletionEntry[]): string {
  const chains = entries.filter((entry) => entry.chain !== '').map((entry) => `'${entry.chain}'`);
  const lines = entries.flatMap((entry) =>
    entry.words.map((w) => {
      const what = w.word.startsWith('--') ? `-l ${w.word.slice(2)}${w.takesValue ? ' -r' : ''}` : `-f -a ${w.word}`;
      const description = w.description === '' ? '' : ` -d '${quoteFish(w.description)}'`;
      return `complete -c thalweg -n "__thalweg_chain '${entry.chain}'" ${what}${description}`;
    }),
  );
  return `# fish completion for thalweg: thalweg completion fish | source
function __thalweg_chain
  set -l chain ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    if contains -- $word ${valueFlags(entries).join(' ')}
      set skip 1
      continue
    end
    set -l candidate (string trim "$chain $word")
    if contains -- $candidate ${chains.join(' ')}
      set chain $candidate
    end
  end
  test "$chain" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function quoteZsh(text: string): string {
  return text.replace(/'/g, "'\\''").replace(/:/g, '\\:');
}

function quoteFish(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/'/g, "\\'");
}
