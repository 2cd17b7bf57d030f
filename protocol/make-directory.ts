/**
 * Makes a directory and those above it. Not `mkdir` with `recursive`: Node 20 never returns from that where the kernel
 * answers ENOENT below a directory that exists, as below /proc.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** `mode` is for directories that are made; one that is there stays as it is. Throws what mkdir throws. */
export function makeDirectory(path: string, mode: number): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (cause) {
      // Somebody else made it at the same moment.
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
  }
}
