/** Typed arrays in shared memory, by slot or by arc: worker threads read what the owner edits, without a copy. */

/** 32-bit words in shared memory, all zero. */
export type SharedInt32 = Int32Array<SharedArrayBuffer>;
/** Bytes in shared memory, all zero. */
export type SharedUint8 = Uint8Array<SharedArrayBuffer>;

export function sharedInt32(length: number): SharedInt32 {
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}

export function sharedUint8(length: number): SharedUint8 {
  return new Uint8Array(new SharedArrayBuffer(length));
}

/** The array, or a longer copy padded with zeros. */
export function grownInt32(array: SharedInt32, length: number): SharedInt32 {
  if (array.length >= length) return array;
  const copy = sharedInt32(length);
  copy.set(array);
  return copy;
}

/** The array, or a longer copy padded with zeros. */
export function grownUint8(array: SharedUint8, length: number): SharedUint8 {
  if (array.length >= length) return array;
  const copy = sharedUint8(length);
  copy.set(array);
  return copy;
}
