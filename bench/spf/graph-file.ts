/** Graph files on disk: read and written as streams. */
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsrGraph } from '../../steering/graph/csr-graph.ts';
import { DimacsReader } from '../../steering/graph/dimacs-reader.ts';

/** Reads a DIMACS `.gr` file. Throws `invalid_argument` naming the line, or the file system's error. */
export async function readGraphFile(file: string): Promise<CsrGraph> {
  const reader = new DimacsReader();
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) reader.push(chunk as Uint8Array);
  return CsrGraph.fromTable(reader.end());
}

export async function writeTextFile(file: string, pieces: Iterable<string>): Promise<void> {
  await pipeline(Readable.from(joined(pieces)), createWriteStream(file));
}

/** The same text in fewer pieces. */
function* joined(pieces: Iterable<string>): Generator<string> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < 1 << 20) continue;
    yield text;
    text = '';
  }
  yield text;
}
