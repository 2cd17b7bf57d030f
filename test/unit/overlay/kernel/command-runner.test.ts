import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { getPriority } from 'node:os';
import { describe, expect, it } from 'vitest';
import { commandFailure, runChecked } from '../../../../overlay/command-runner.ts';
import { OutputUntilMark } from '../../../../overlay/output-until-mark.ts';
import { ProcessRunner } from '../../../../overlay/process-runner.ts';
import { commandText, ShellRunner } from '../../../../overlay/shell-runner.ts';
import { buildChild, CHILD_PREFIX } from '../../../fake/build-child.ts';

describe.each([
  ['ProcessRunner', ProcessRunner],
  ['ShellRunner', ShellRunner],
])('%s', (_name, Runner) => {
  const runner = new Runner();

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
    const prefixed = new Runner({ commandPrefix: ['no-such-prefix'] });
    await expect(prefixed.run(['ip', '-V'])).rejects.toMatchObject({ code: 'missing_program' });
    await expect(runner.run(['no-such-program'])).rejects.toMatchObject({
      code: 'missing_program',
      nextStep: 'install it: apt-get install no-such-program',
    });
  });

  it('starts a program with another priority, and tells a missing one all the same', async () => {
    const held = await runner.run(['nice'], { niceness: 7 });
    expect(Number(held.stdout)).toBe(Math.min(19, getPriority() + 7));
    await expect(runner.run(['no-such-program'], { niceness: 7 })).rejects.toMatchObject({ code: 'missing_program' });
  });

  it('gives the group of a daemon its priority too, without which niceness says nothing outside its session', async () => {
    const script = 'nice; cat /proc/self/autogroup';
    const { stdout } = await runner.run(['sh', '-c', script], { niceness: 7, daemon: true });
    const [niceness, group] = stdout.trimEnd().split('\n');
    expect(Number(niceness)).toBe(Math.min(19, getPriority() + 7));
    if (group !== undefined) expect(group).toMatch(/ nice 7$/);
    await expect(runner.run(['no-such-program'], { niceness: 7, daemon: true })).rejects.toMatchObject({
      code: 'missing_program',
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

  it.each([0, 1, 3, 126, 255])('tells exit code %d, and both outputs apart', async (code) => {
    const result = await runner.run(['sh', '-c', `printf out; printf 'err\\n' >&2; exit ${code}`]);
    expect(result).toEqual({ exitCode: code, stdout: 'out', stderr: 'err\n' });
  });

  it('takes words and input that a shell would read otherwise', async () => {
    const words = ["it's", '$HOME `id` \\', 'two\nlines', '', '*', '-n', "'"];
    const printed = await runner.run(['printf', '<%s>', ...words]);
    expect(printed.stdout).toBe(words.map((word) => `<${word}>`).join(''));
    const input = '$(id) `id` $PATH \\\nEOF\n\n';
    expect((await runner.run(['cat'], { stdin: input })).stdout).toBe(input);
  });

  it('takes large inputs and outputs, and bytes that are not ASCII', async () => {
    const input = `${'größer ✓ '.repeat(40_000)}\n`;
    expect((await runner.run(['cat'], { stdin: input })).stdout).toBe(input);
    expect((await runner.run(['head', '-c', '300000', '/dev/zero'])).stdout.length).toBe(300_000);
  });

  it('answers each of many at once with its own', async () => {
    const numbers = [...Array(20).keys()];
    const results = await Promise.all(numbers.map((n) => runner.run(['sh', '-c', `echo ${n}; exit ${n}`])));
    expect(results.map((r) => [r.stdout, r.exitCode])).toEqual(numbers.map((n) => [`${n}\n`, n]));
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

describe('ShellRunner, by its shell', () => {
  it('goes on with another shell after one that was killed', async () => {
    const runner = new ShellRunner();
    await expect(runner.run(['sh', '-c', 'kill -9 $PPID'])).rejects.toMatchObject({ code: 'command_failed' });
    expect((await runner.run(['echo', 'there'])).stdout).toBe('there\n');
  });

  it('kills what takes too long, and goes on', async () => {
    const runner = new ShellRunner();
    const mark = '31.4159';
    await expect(runner.run(['sleep', mark], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'command_failed' });
    const sleeping = async () => (await runner.run(['pgrep', '-fx', `sleep ${mark}`])).stdout;
    await expect.poll(sleeping).toBe('');
  });

  it('runs all commands in one shell', async () => {
    const runner = new ShellRunner();
    const parent = async () => (await runner.run(['sh', '-c', 'echo $PPID'])).stdout;
    expect(await parent()).toBe(await parent());
    expect(await parent()).not.toBe(`${process.pid}\n`);
  });

  it('leaves no program behind when its process is killed', async () => {
    const directory = mkdtempSync(CHILD_PREFIX);
    const runner = new ShellRunner();
    try {
      const module = buildChild('overlay/shell-runner.ts', directory);
      const mark = `27.1828${process.pid}`;
      const script = `import { ShellRunner } from ${JSON.stringify(module)};
        const runner = new ShellRunner();
        runner.stream(['sleep', '${mark}'], () => {}, () => {});
        await runner.run(['true']);
        setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
      const programs = async () => {
        const streams = await runner.run(['pgrep', '-fx', `sleep ${mark}`]);
        const children = await runner.run(['pgrep', '-P', String(child.pid)]);
        return (streams.stdout + children.stdout).split('\n').filter(Boolean);
      };
      await expect.poll(async () => (await programs()).length, { timeout: 10_000 }).toBe(3); // the sleep, twice, and the shell
      const started = await programs();
      child.kill('SIGKILL');
      const left = async () => (await runner.run(['ps', '-o', 'pid=', '-p', [...new Set(started)].join()])).stdout;
      await expect.poll(left, { timeout: 10_000 }).toBe('');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('quotes every word', () => {
    expect(commandText(['ip', "a'b"], '', 'm')).toBe(
      "'ip' 'a'\\''b' </dev/null\nprintf '\\nm %d\\n' $?; printf '\\nm \\n' >&2\n",
    );
  });
});

describe('OutputUntilMark', () => {
  it.each([1, 2, 7, 1000])('finds the mark in pieces of %d bytes', (size) => {
    const output = new OutputUntilMark('mark', 1000);
    const all = Buffer.from('some\nmark no\nmore\n\nmark 127\n');
    for (let at = 0; at < all.length; at += size) {
      if (at > 0 && at < all.length - 1) expect(output.isComplete && at > 20).toBe(false);
      output.add(all.subarray(at, at + size));
    }
    expect([output.isComplete, output.afterMark, output.text()]).toEqual([true, '127', 'some\nmark no\nmore\n']);
  });

  it('finds the mark behind more than it keeps', () => {
    const output = new OutputUntilMark('mark', 10);
    expect(output.add(Buffer.from('x'.repeat(10)))).toBe(true);
    expect(output.add(Buffer.from('y\nmark 0\n'))).toBe(false);
    expect([output.isComplete, output.afterMark, output.text()]).toEqual([true, '0', 'x'.repeat(10)]);
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
