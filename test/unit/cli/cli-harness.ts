/** Runs the CLI in this process, with its output in strings and a core that answers from a table. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CliIo } from '../../../cli/cli-io.ts';
import { runCli } from '../../../cli/command-line.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** 2026-03-04 05:06:07 UTC. */
export const NOW_MS = Date.UTC(2026, 2, 4, 5, 6, 7);

export async function runInProcess(
  argv: readonly string[],
  given: { env?: Record<string, string>; input?: string } = {},
): Promise<CliRun> {
  let out = '';
  let err = '';
  const io: CliIo = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    readInput: async () => given.input ?? '',
    env: given.env ?? {},
    colour: false,
    live: false,
    size: () => ({ columns: 80, rows: 24 }),
    nowMs: () => NOW_MS,
    untilSignal: () => new Promise(() => {}),
  };
  const code = await runCli(argv, io);
  return { code, out, err };
}

/** What the fake core answers to `METHOD /path`: a status and a body. Anything else is 404 not_found. */
export type Answers = Readonly<Record<string, { readonly status?: number; readonly body: unknown }>>;

export interface FakeCore {
  readonly target: string;
  /** `METHOD /path BODY` of every call, in order. */
  readonly calls: readonly string[];
  stop(): Promise<void>;
}

export async function startFakeCore(answers: Answers): Promise<FakeCore> {
  const calls: string[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      calls.push(`${request.method} ${request.url} ${body}`.trim());
      const answer = answers[`${request.method} ${request.url}`] ?? {
        status: 404,
        body: { code: 'not_found', message: `there is no ${request.url}`, nextStep: 'see `thalweg node list`' },
      };
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
