/**
 * Compiles steering/spf/lanes/lane-kernel.as and keeps the result beside it, as a module that needs no file at run time:
 * `npm run kernel`. A test holds the module against a fresh build.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { main as asc } from 'assemblyscript/asc';

const source = new URL('../steering/spf/lanes/lane-kernel.as', import.meta.url);
export const target = new URL('../steering/spf/lanes/lane-kernel-code.ts', import.meta.url);

/** Memory is given and shared; nothing is collected, nothing is initialised: two threads may run the same module. */
const OPTIONS = [
  'lane-kernel.ts',
  ...['--outFile', 'lane-kernel.wasm'],
  ...['-O3', '--noAssert', '--runtime', 'stub'],
  ...['--importMemory', '--noExportMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'simd', '--enable', 'threads'],
];

/** The text of lane-kernel-code.ts. @returns {Promise<string>} */
export async function compileKernel() {
  const text = readFileSync(source, 'utf8');
  /** @type {Uint8Array | undefined} */
  let code;
  const { error, stderr } = await asc(OPTIONS, {
    // the compiler wants its own ending
    readFile: (/** @type {string} */ name) => (name === 'lane-kernel.ts' ? text : null),
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') code = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || code === undefined) throw new Error(`${error?.message}\n${stderr.toString()}`);
  const lines =
    Buffer.from(code)
      .toString('base64')
      .match(/.{1,110}/g) ?? [];
  const literal = lines.map((line) => `  '${line}'`).join(' +\n');
  return `/** Made from lane-kernel.as by \`npm run kernel\`: ${code.length} bytes of WebAssembly, in base64. */\nexport const LANE_KERNEL =\n${literal};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await compileKernel());
