/**
 * Program: sends one flow of numbered, time-stamped UDP packets at a constant rate, then prints a SourceReport and ends.
 *
 *   traffic-source --to 100.96.0.3 --port 9000 --flow 1 --rate 1000 --size 200 --total 60000 --start-mono-ns 123456
 *
 * SIGTERM ends it early, with its report.
 */
import { createSocket } from 'node:dgram';
import { parseArgs } from 'node:util';
import { ThalwegError } from '../../protocol/error.ts';
import { requireLab } from './lab-only.ts';
import { Pace } from './pace.ts';
import { HEADER_BYTES, writePacket } from './traffic-packet.ts';
import type { SourceReport } from './traffic-report.ts';

/** Sleep between turns: Node's timers go no finer. */
const TURN_MS = 1;
/** The flow lasts no longer than this after its planned end, whatever the machine does. */
const OVERTIME_MS = 10_000;

const { values } = parseArgs({
  options: {
    to: { type: 'string' },
    port: { type: 'string' },
    flow: { type: 'string' },
    rate: { type: 'string' },
    size: { type: 'string' },
    total: { type: 'string' },
    'start-mono-ns': { type: 'string' },
  },
});

function numberOption(name: 'port' | 'flow' | 'rate' | 'size' | 'total', min: number, max: number): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ThalwegError('invalid_argument', `--${name} ${values[name]} is not a whole number from ${min} to ${max}`);
}

const address = values.to ?? '';
requireLab(address);
const port = numberOption('port', 1, 65_535);
const flow = numberOption('flow', 0, 0xffff_ffff);
const packetsPerSecond = numberOption('rate', 1, 10_000);
const sizeBytes = numberOption('size', HEADER_BYTES, 1_400);
const total = numberOption('total', 1, 72_000_000);
const startNs = values['start-mono-ns'] === undefined ? process.hrtime.bigint() : BigInt(values['start-mono-ns']);

const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
const pace = new Pace({ packetsPerSecond, total });
const refused = new Map<string, number>();
let firstNs: bigint | null = null;
let lastNs: bigint | null = null;
let worstLatenessMs = 0;
let stopping = false;

process.once('SIGTERM', () => {
  stopping = true;
});

function send(sequence: number): void {
  const packet = Buffer.alloc(sizeBytes);
  const sentAtMonoNs = process.hrtime.bigint();
  writePacket(packet, { flow, sequence, sentAtMonoNs });
  firstNs ??= sentAtMonoNs;
  lastNs = sentAtMonoNs;
  const lateMs = Number(sentAtMonoNs - startNs) / 1e6 - pace.dueMs(sequence);
  if (lateMs > worstLatenessMs) worstLatenessMs = lateMs;
  socket.send(packet, port, address, (error) => {
    if (error === null) return;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    refused.set(code, (refused.get(code) ?? 0) + 1);
  });
}

function turn(): void {
  const elapsedMs = Number(process.hrtime.bigint() - startNs) / 1e6;
  const first = pace.next;
  const count = pace.take(elapsedMs);
  for (let i = 0; i < count; i++) send(first + i);
  if (stopping || pace.done || elapsedMs > pace.dueMs(total) + OVERTIME_MS) finish();
  else setTimeout(turn, elapsedMs < 0 ? Math.min(-elapsedMs, 1_000) : TURN_MS);
}

/** Callbacks of the last packets run before an immediate that is queued after them closes the socket. */
function finish(): void {
  setTimeout(() => {
    const report: SourceReport = {
      sent: pace.next,
      refused: Object.fromEntries(refused),
      firstAtMonoNs: firstNs === null ? null : `${firstNs}`,
      lastAtMonoNs: lastNs === null ? null : `${lastNs}`,
      worstLatenessMs,
    };
    process.stdout.write(`${JSON.stringify({ report })}\n`);
    socket.close();
  }, 50);
}

// Without a handler an ICMP error that arrives later would end the program.
socket.on('error', () => refused.set('socket', (refused.get('socket') ?? 0) + 1));
socket.bind(0, turn);
