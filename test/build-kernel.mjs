/**
 * Compiles steering/spf/lanes/lane-kernel.as with what it imports, and keeps the result beside it, as a module that needs no file at run time:
 * `npm run kernel`. A test holds the module against a fresh build.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { main as asc } from 'assemblyscript/asc';

const folder = new URL('../steering/spf/lanes/', import.meta.url);
export const target = new URL('../steering/spf/lanes/lane-kernel-code.ts', import.meta.url);

/** Memory is given and shared; nothing is collected, nothing is initialised: two threads may run the same module. */
const OPTIONS = [
  'lane-kernel.ts',
  ...['--outFile', 'lane-kernel.wasm'],
  ...['-O3', '--noAssert', '--runtime', 'stub'],
  ...['--importMemory', '--noExportMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'simd', '--enable', 'threads'],
];

/** A file of ours by the ending that the compiler wants; null for those of its own library. @param {string} name */
function readSource(name) {
  return /^lane-[a-z]+\.ts$/.test(name) ? readFileSync(new URL(name.replace(/ts$/, 'as'), folder), 'utf8') : null;
}

/** The text of lane-kernel-code.ts. @returns {Promise<string>} */
export async function compileKernel() {
  /** @type {Uint8Array | undefined} */
  let code;
  const { error, stderr } = await asc(OPTIONS, {
    readFile: readSource,
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
