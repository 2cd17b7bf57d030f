/** The little that is used of WebAssembly, which the standard library's types leave to browsers'. */

/** Memory that threads share. Structured-cloneable: a worker that receives it sees the same bytes. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

export interface WasmRuntime {
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly validate: (code: Uint8Array) => boolean;
}

export const WASM_PAGE_BYTES = 65_536;
/** Addresses have 32 bits. */
export const WASM_MOST_PAGES = 65_536;

/** A module of one function that makes a vector and drops it: `v128.const 0; drop`. */
const VECTOR_PROBE = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00], // types: () -> ()
  ...[0x03, 0x02, 0x01, 0x00], // functions: one, of type 0
  ...[0x0a, 0x17, 0x01, 0x15, 0x00], // code: one body without locals
  ...[0xfd, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // v128.const
  ...[0x1a, 0x0b], // drop, end
]);

/** WebAssembly of this process, or undefined where it is missing or knows no vectors (SIMD, in V8 since 9.1). */
export function wasmRuntime(): WasmRuntime | undefined {
  const runtime = (globalThis as { readonly WebAssembly?: WasmRuntime }).WebAssembly;
  return runtime?.validate(VECTOR_PROBE) === true ? runtime : undefined;
}
