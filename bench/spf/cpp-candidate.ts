/** A C++ program of bench/peers, compiled where a compiler is, and spoken to as peers/peer.hpp says. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { projectRoot } from '../../protocol/program-file.ts';
import { type OpenCandidate, type SpfCandidate, type SpfInput, Unfit } from './spf-candidate.ts';

/** As Debian builds its programs. */
const DEBIAN = ['-O2', '-std=c++17'];
/** For any machine of this kind; and for this machine, where the compiler knows what a mispredicted branch costs. */
const PORTABLE = ['-O3', '-std=c++17'];
const NATIVE = [...PORTABLE, '-march=native'];

export interface CppPeer {
  readonly name: string;
  /** File of bench/peers. */
  readonly source: string;
  readonly flags: readonly string[];
  /** A header that it needs, and the Debian package that has it. */
  readonly needs: { readonly header: string; readonly debianPackage: string } | null;
}

export function cppCandidate(peer: CppPeer): SpfCandidate {
  return { name: peer.name, ours: false, open: (input) => open(peer, input) };
}

async function open({ source, flags, needs }: CppPeer, { task, file, sources }: SpfInput): Promise<OpenCandidate> {
  if (needs !== null && !existsSync(needs.header)) {
    throw new Unfit(`${needs.header} is not there: apt-get install ${needs.debianPackage}`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'thalweg-bench-'));
  try {
    const program = join(folder, 'peer');
    await compile(join(projectRoot(), 'bench/peers', source), flags, program);
    const numbers = task === 'apsp' ? [] : Array.from(sources, (slot) => String(slot + 1));
    const child = spawn(program, [file, task, ...numbers], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = new LineReader(child);
    await lines.next();
    let answer = ['', ''];
    return {
      async round() {
        child.stdin?.write('round\n');
        return (await lines.next()).trim().split(' ').map(Number);
      },
      async checksum() {
        child.stdin?.write('finish\n');
        answer = (await lines.next()).split(' ');
        return answer[0] ?? '';
      },
      async peakMegabytes() {
        return Number(answer[1]);
      },
      async close() {
        child.stdin?.end();
        await rm(folder, { recursive: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
}

async function compile(source: string, flags: readonly string[], program: string): Promise<void> {
  try {
    await promisify(execFile)('g++', [...flags, source, '-o', program]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Unfit('no g++ here: apt-get install g++');
    throw error;
  }
}

/** One line after the other; rejects when the program ends. */
class LineReader {
  readonly #lines: string[] = [];
  readonly #waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  #ended = false;

  constructor(child: ChildProcess) {
    if (child.stdout === null) throw new Error('the peer has no output');
    const reader = createInterface({ input: child.stdout });
    reader.on('line', (line) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#lines.push(line);
      else waiting.resolve(line);
    });
    reader.on('close', () => {
      this.#ended = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the peer ended'));
    });
  }

  next(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended) return Promise.reject(new Error('the peer ended'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }
}

const BOOST_HEADER = {
  header: '/usr/include/boost/graph/dijkstra_shortest_paths.hpp',
  debianPackage: 'libboost-graph-dev',
};

/** Boost Graph Library: Dijkstra with its d-ary heap on its compressed sparse rows. */
export const BOOST = cppCandidate({
  name: 'boost',
  source: 'boost-dijkstra.cpp',
  flags: NATIVE,
  needs: BOOST_HEADER,
});

/** The same program with `-O2`. */
export const BOOST_DEBIAN = cppCandidate({
  name: 'boost-o2',
  source: 'boost-dijkstra.cpp',
  flags: DEBIAN,
  needs: BOOST_HEADER,
});

/** Buckets, then a sweep over the leaves, in plain scalar C++. */
export const CPP_BUCKETS = cppCandidate({
  name: 'cpp-buckets',
  source: 'bucket-sweep.cpp',
  flags: PORTABLE,
  needs: null,
});

/** The same program with `-march=native`. */
export const CPP_BUCKETS_NATIVE = cppCandidate({
  name: 'cpp-buckets-native',
  source: 'bucket-sweep.cpp',
  flags: NATIVE,
  needs: null,
});
