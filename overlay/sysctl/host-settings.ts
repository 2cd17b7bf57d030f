/** Applies kernel settings and remembers, in a small file, what the host's own ones were before. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DesiredOverlay } from '../overlay-state.ts';
import { computeSysctls, sysctlKeys } from './sysctl-plan.ts';
import type { SysctlStore } from './sysctl-store.ts';

/** One host setting that was changed. `previous` is put back by `restore` if the value is still ours. */
interface Remembered {
  readonly key: string;
  readonly previous: string;
  readonly set: string;
}

export class HostSettings {
  readonly #store: SysctlStore;
  readonly #path: string;

  constructor(deps: { readonly store: SysctlStore }, options: { readonly stateDir: string }) {
    this.#store = deps.store;
    this.#path = join(options.stateDir, 'host-settings.json');
  }

  /** `devices`: the host's interfaces that are not ours. Returns one line per change. */
  async apply(desired: DesiredOverlay, devices: readonly string[]): Promise<readonly string[]> {
    const current = await this.#store.read(sysctlKeys(devices));
    const writes = computeSysctls(desired, current, devices);
    if (writes.length === 0) return [];
    const host = writes.filter((write) => write.host);
    if (host.length > 0) {
      // Remembered before it is written: a crash in between must not lose the old value.
      const remembered = new Map((await this.#load()).map((entry) => [entry.key, entry]));
      for (const { key, value } of host) {
        remembered.set(key, { key, previous: current.get(key) ?? '', set: value });
      }
      await this.#save([...remembered.values()]);
    }
    await this.#store.write(writes.map(({ key, value }) => [key, value]));
    return writes.map(({ key, value }) => `sysctl ${key}=${value}`);
  }

  /** Puts the host's settings back that still have the value we gave them. */
  async restore(): Promise<readonly string[]> {
    const remembered = await this.#load();
    if (remembered.length === 0) return [];
    const current = await this.#store.read(remembered.map((entry) => entry.key));
    const back = remembered
      .filter((entry) => current.get(entry.key) === entry.set && entry.previous !== entry.set)
      // Forwarding goes off before accept_ra goes back, the reverse of how it came.
      .reverse()
      .map((entry) => [entry.key, entry.previous] as const);
    await this.#store.write(back);
    await rm(this.#path, { force: true });
    return back.map(([key, value]) => `sysctl ${key}=${value}`);
  }

  async #load(): Promise<readonly Remembered[]> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    return parseRemembered(text);
  }

  async #save(entries: readonly Remembered[]): Promise<void> {
    await mkdir(join(this.#path, '..'), { recursive: true, mode: 0o700 });
    const partial = `${this.#path}.new`;
    await writeFile(partial, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
    await rename(partial, this.#path);
  }
}

/** Entries of the file; those that are not of its form are left out: there is nothing to put back for them. */
export function parseRemembered(text: string): readonly Remembered[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.filter(
    (entry): entry is Remembered =>
      typeof entry === 'object' &&
      entry !== null &&
      typeof entry.key === 'string' &&
      /^net\/[A-Za-z0-9_./@-]+$/.test(entry.key) &&
      !entry.key.includes('..') &&
      typeof entry.previous === 'string' &&
      typeof entry.set === 'string',
  );
}
