/** The scripts are run in the shells they are for, where those are installed. */
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { runInProcess } from './cli-harness.ts';

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const scripts: Record<string, string> = {};
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) scripts[shell] = (await runInProcess(['completion', shell])).out;
});

/** What bash offers for a line that ends at the cursor. */
function bashOffers(line: string): string[] {
  const words = line.split(' ');
  const program = `${scripts['bash']}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_thalweg; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync('bash', ['--norc', '-c', program], { encoding: 'utf8', cwd: '/' });
  expect(run.stderr).toBe('');
  return run.stdout.split('\n').filter((word) => word !== '');
}

describe.skipIf(!has('bash'))('bash', () => {
  test.each<[string, readonly string[]]>([
    ['thalweg no', ['node']],
    [
      'thalweg node ',
      [
        'list',
        'show',
        'label',
        'drain',
        'resume',
        'rotate-key',
        'remove',
        '--json',
        '--core',
        '--api-key-file',
        '--api-ca-file',
        '--no-color',
        '--help',
      ],
    ],
    ['thalweg --json token cr', ['create']],
    ['thalweg --core http://x:1 node sh', ['show']],
    ['thalweg token create --us', ['--uses']],
    [
      'thalweg completion ',
      ['bash', 'zsh', 'fish', '--json', '--core', '--api-key-file', '--api-ca-file', '--no-color', '--help'],
    ],
    ['thalweg core --probe', ['--probe-interval-ms']],
    ['thalweg agent do', ['down']],
    ['thalweg join --token-file /et', ['/etc']],
  ])('%s', (line, offers) => expect(bashOffers(line)).toEqual(offers));
});

test.skipIf(!has('zsh'))('zsh takes the script', () => {
  const run = spawnSync('zsh', ['-f', '-c', `autoload -U compinit; compinit -u -D; ${scripts['zsh']}\nwhich _thalweg`]);
  expect([run.status, run.stderr.toString()]).toEqual([0, '']);
});

test.skipIf(!has('fish'))('fish offers', () => {
  const run = spawnSync('fish', ['-N', '-c', `${scripts['fish']}\ncomplete -C 'thalweg node sh'`], {
    encoding: 'utf8',
  });
  expect(run.stdout).toMatch(/^show\t/);
});

test('every shell gets every command, and nothing that breaks its quotes', () => {
  for (const [shell, script] of Object.entries(scripts)) {
    for (const word of ['core', 'revoke', 'status', 'probe-interval-ms']) expect(script, shell).toContain(word);
    expect((script.match(/(?<!\\)'/g) ?? []).length % 2, `${shell}: quotes in pairs`).toBe(0);
  }
});
