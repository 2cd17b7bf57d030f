/** Sysctl values by path under /proc/sys (`net/ipv4/conf/tw0/rp_filter`), of this process's namespace or through a runner. */
import { readFile, writeFile } from 'node:fs/promises';
import { ThalwegError } from '../../protocol/error.ts';
import { type CommandRunner, runChecked } from '../command-runner.ts';

export interface SysctlStore {
  /** Values of those that exist. */
  read(keys: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Writes in order. */
  write(values: readonly (readonly [key: string, value: string])[]): Promise<void>;
}

const ROOT = '/proc/sys/';

/** This process's own network namespace: no process is spawned. */
export class FileSysctls implements SysctlStore {
  async read(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    await Promise.all(
      keys.map(async (key) => {
        try {
          found.set(key, (await readFile(ROOT + key, 'utf8')).trim());
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code;
          if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'EINVAL') throw error;
        }
      }),
    );
    return found;
  }

  async write(values: readonly (readonly [string, string])[]): Promise<void> {
    for (const [key, value] of values) {
      try {
        await writeFile(ROOT + key, value);
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code;
        const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
        throw new ThalwegError(
          denied ? 'missing_privilege' : 'command_failed',
          `the kernel setting ${key} cannot be set to ${value}: ${code}`,
          {
            fields: { key, value },
            cause,
            ...(denied
              ? {
                  nextStep:
                    'run as root with a writable /proc/sys (a container needs --privileged or the setting from outside)',
                }
              : {}),
          },
        );
      }
    }
  }
}

/** The namespace that the runner's commands run in. */
export class CommandSysctls implements SysctlStore {
  readonly #runner: CommandRunner;

  constructor(runner: CommandRunner) {
    this.#runner = runner;
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    if (keys.length === 0) return found;
    // -H puts the file's name before its value; what does not exist is left out and makes the exit code 2.
    const { stdout } = await this.#runner.run(['grep', '-sH', '', ...keys.map((key) => ROOT + key)]);
    for (const line of stdout.split('\n')) {
      const colon = line.indexOf(':');
      if (line.startsWith(ROOT) && colon > 0) found.set(line.slice(ROOT.length, colon), line.slice(colon + 1).trim());
    }
    return found;
  }

  async write(values: readonly (readonly [string, string])[]): Promise<void> {
    if (values.length === 0) return;
    await runChecked(this.#runner, ['sysctl', '-q', '-w', ...values.map(([key, value]) => `${key}=${value}`)]);
  }
}
