import { describe, expect, it } from 'vitest';
import { commandFailure, runChecked } from '../../../../overlay/command-runner.ts';
import { ProcessRunner } from '../../../../overlay/process-runner.ts';

describe('ProcessRunner', () => {
  const runner = new ProcessRunner();

  it('gives stdin, and nothing of the environment but PATH and LC_ALL', async () => {
    const result = await runner.run(['sh', '-c', 'cat; env | grep -v ^PWD= | sort | cut -d= -f1 | tr "\\n" " "'], {
      stdin: 'in;',
    });
    expect(result.stdout).toMatch(/^in;(_ )?LC_ALL (OLDPWD )?PATH (SHLVL )?(_ )?$/);
  });

  it('takes an argument as it is: there is no shell', async () => {
    expect((await runner.run(['echo', '$(id); *'])).stdout).toBe('$(id); *\n');
  });

  it('tells a missing program and its package', async () => {
    const prefixed = new ProcessRunner({ commandPrefix: ['no-such-prefix'] });
    await expect(prefixed.run(['ip', '-V'])).rejects.toMatchObject({ code: 'missing_program' });
    await expect(runner.run(['no-such-program'])).rejects.toMatchObject({
      code: 'missing_program',
      nextStep: 'install it: apt-get install no-such-program',
    });
  });

  it('ends a program that takes too long', async () => {
    await expect(runner.run(['sleep', '30'], { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'command_failed',
      message: 'sleep: no end after 50 ms',
    });
  });

  it('survives a program that reads nothing', async () => {
    expect((await runner.run(['true'], { stdin: 'x'.repeat(1_000_000) })).exitCode).toBe(0);
  });

  it('streams lines, and says when the program has ended', async () => {
    const lines: string[] = [];
    await new Promise<void>((resolve) => {
      runner.stream(['printf', 'one\\ntwo\\nthr'], (line) => lines.push(line), resolve);
    });
    expect(lines).toEqual(['one', 'two']);
  });

  it('stops a stream without calling it an end', async () => {
    let ended = false;
    const stream = runner.stream(
      ['sleep', '30'],
      () => {},
      () => {
        ended = true;
      },
    );
    await stream.stop();
    await stream.stop();
    expect(ended).toBe(false);
  });
});

describe('commandFailure', () => {
  it('names the line of a batch that failed', () => {
    const stderr = 'RTNETLINK answers: No such process\nCommand failed -:2\n';
    const error = commandFailure(['ip', '-batch', '-'], { exitCode: 2, stdout: '', stderr }, 'a\nroute del x\n');
    expect(error.code).toBe('command_failed');
    expect(error.message).toBe('ip ended with exit code 2: RTNETLINK answers: No such process (at: route del x)');
  });

  it.each([
    ['Unable to modify interface: Address already in use', 'port_in_use'],
    ['RTNETLINK answers: Operation not permitted', 'missing_privilege'],
    ['', 'command_failed'],
  ])('reads %j as %s', (stderr, code) => {
    expect(commandFailure(['wg'], { exitCode: 1, stdout: '', stderr }).code).toBe(code);
  });

  it.each([
    [
      ['wg', 'set', 'tw0', 'private-key', '/k', 'listen-port', '51820'],
      '',
      "WireGuard's UDP port 51820 is",
      '--listen-port',
    ],
    [['ip', '-batch', '-'], 'link set twx-a up', 'UDP port 4790, which detours (twx-a) need, is', 'sport = :4790'],
    [['ip', '-batch', '-'], 'link set tw0 up', "WireGuard's UDP port is", '--listen-port'],
  ])('names the port that %j was to open', (argv, stdin, what, next) => {
    const stderr = `Address already in use\n${stdin === '' ? '' : 'Command failed -:1\n'}`;
    const error = commandFailure(argv, { exitCode: 1, stdout: '', stderr }, stdin);
    expect(error.code).toBe('port_in_use');
    expect(error.message).toContain(`${what} in use by another program`);
    expect(error.nextStep).toContain('ss -ulpn');
    expect(error.nextStep).toContain(next);
  });

  it('is what runChecked throws', async () => {
    await expect(runChecked(new ProcessRunner(), ['false'])).rejects.toMatchObject({ code: 'command_failed' });
  });
});
