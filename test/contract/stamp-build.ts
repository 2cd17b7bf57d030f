/** Builds the probing thread's entry into a temporary folder: Node 20 cannot load a `.ts` file in a worker. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface StampBuild {
  readonly workerUrl: URL;
  /** URL of a built module, e.g. `overlay/stamp/worker-prober.js`. */
  url(path: string): URL;
  remove(): void;
}

export function buildStamp(): StampBuild {
  const folder = mkdtempSync(join(tmpdir(), 'thalweg-stamp-'));
  const config = {
    extends: join(root, 'tsconfig.build.json'),
    compilerOptions: { outDir: folder, rootDir: root, incremental: false, noCheck: true, sourceMap: false },
    include: [],
    files: ['prober-worker', 'worker-prober'].map((name) => join(root, `overlay/stamp/${name}.ts`)),
  };
  const { tsBuildInfoFile: _, ...compilerOptions } = {
    ...config.compilerOptions,
    tsBuildInfoFile: join(folder, 'info'),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...config, compilerOptions }));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'inherit' });
  const url = (path: string) => pathToFileURL(join(folder, path));
  return {
    url,
    workerUrl: url('overlay/stamp/prober-worker.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
