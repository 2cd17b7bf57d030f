/** Makes new inputs of old ones: bits, bytes, numbers, pieces, words. Pure: the same for the same generator. */
import type { Random } from '../../netlab/seeded-random.ts';

/** As large as any frame that an agent may send matters little here: small inputs run fast and break as much. */
export const MAX_INPUT_BYTES = 4_096;
/** Lengths, counts and varints that decoders stumble over, little endian. */
const NUMBERS = [0, 1, 127, 128, 255, 256, 32_767, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
/** Values that are valid JSON and YAML, and seldom what reads the result expects. */
const VALUES = [
  '{"toString":1,"valueOf":1}',
  'null',
  'true',
  '-1',
  '0',
  '1e999',
  '1e-7',
  '9007199254740993',
  '""',
  '[]',
  '{}',
  '[[]]',
  '[null]',
  '{"__proto__":1}',
  '{"length":-1}',
];
/** Pieces of JSON, YAML, tables and addresses. */
const PIECES = [
  '"__proto__":',
  '"constructor":',
  '\t',
  '\n',
  '\r\n',
  '\u0000',
  '\ud7ff',
  '\ufeff',
  ': ',
  '- ',
  '&a ',
  '*a',
  '<<: *a',
  '!!binary ',
  '? ',
  '0x7f',
  '::',
  '/129',
  '/0',
  '255.255.255.255',
  'fe80::1%eth0',
];
const WORDS = [...VALUES, ...PIECES];
/** Most changes of one input: few keep it near what was valid. */
const MOST_CHANGES = 5;

export interface MutationContext {
  readonly random: Random;
  /** Another input of the corpus, to take pieces from. */
  readonly other: Uint8Array;
  readonly words: readonly string[];
}

export function mutate(input: Uint8Array, { random, other, words }: MutationContext): Uint8Array {
  const below = (limit: number) => Math.floor(random() * Math.max(1, limit));
  const known = words.length > 0 && random() < 0.5 ? words : WORDS;
  let bytes = input;
  for (let change = below(MOST_CHANGES); change >= 0; change--) {
    const at = below(bytes.length + 1);
    switch (below(10)) {
      case 0:
        bytes = patched(bytes, at, (byte) => byte ^ (1 << below(8)));
        break;
      case 1:
        bytes = patched(bytes, at, () => below(256));
        break;
      case 2:
        bytes = spliced(bytes, at, at + 1 + below(16), new Uint8Array(0));
        break;
      case 3:
        bytes = spliced(bytes, at, at, new TextEncoder().encode(known[below(known.length)] ?? ''));
        break;
      case 4: {
        const end = at + 1 + below(24);
        bytes = spliced(bytes, at, end, new TextEncoder().encode(known[below(known.length)] ?? ''));
        break;
      }
      case 5: {
        const from = below(other.length + 1);
        bytes = spliced(bytes, at, at + below(32), other.subarray(from, from + below(64)));
        break;
      }
      case 6: {
        const piece = bytes.slice(at, at + 1 + below(64));
        bytes = spliced(bytes, at, at, repeated(piece, 1 + below(4)));
        break;
      }
      case 7: {
        const number = NUMBERS[below(NUMBERS.length)] ?? 0;
        const width = 2 ** below(3);
        const little = Array.from({ length: width }, (_, i) => Math.floor(number / 256 ** i) & 255);
        bytes = spliced(bytes, at, at + width, Uint8Array.from(random() < 0.5 ? little : little.toReversed()));
        break;
      }
      default:
        bytes = replaceValue(bytes, at, VALUES[below(VALUES.length)] ?? '');
    }
  }
  return bytes.subarray(0, MAX_INPUT_BYTES);
}

function patched(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = change(copy[at] ?? 0);
  return copy;
}

function spliced(bytes: Uint8Array, from: number, to: number, piece: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(bytes.length, to));
  const result = new Uint8Array(from + piece.length + tail.length);
  result.set(bytes.subarray(0, from));
  result.set(piece, from);
  result.set(tail, from + piece.length);
  return result;
}

function repeated(piece: Uint8Array, times: number): Uint8Array {
  const result = new Uint8Array(piece.length * times);
  for (let i = 0; i < times; i++) result.set(piece, i * piece.length);
  return result;
}

/** Puts `word` in the place of a whole value of JSON or of a line: what stands behind `at` between delimiters. */
function replaceValue(bytes: Uint8Array, at: number, word: string): Uint8Array {
  const isDelimiter = (byte: number | undefined) =>
    byte === undefined || ':,[]{}\n\t '.includes(String.fromCharCode(byte));
  let from = at;
  while (from < bytes.length && !isDelimiter(bytes[from])) from++;
  while (from < bytes.length && isDelimiter(bytes[from])) from++;
  let to = from;
  while (to < bytes.length && !isDelimiter(bytes[to])) to++;
  return spliced(bytes, Math.min(from, bytes.length), to, new TextEncoder().encode(word));
}
