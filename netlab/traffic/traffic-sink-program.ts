/**
 * Program: receives one flow, and prints what came when it is told to stop.
 *
 *   traffic-sink --port 9000 --flow 1 --family 4 --max-seconds 7500
 *
 * Prints {"ready":true} when it listens. SIGTERM: waits 2 s for packets in flight, prints {"report":SinkReport}, ends.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FlowTally } from './flow-tally.ts';
import { readPacket } from './traffic-packet.ts';
import type { SinkReport } from './traffic-report.ts';
import { udpDrops } from './udp-drops.ts';

/** Longer than any path of a lab is. */
const IN_FLIGHT_MS = 2_000;
/** As large as the kernel allows: a sink that is late must not be what loses packets. It grants net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    flow: { type: 'string' },
    family: { type: 'string', default: '4' },
    'max-seconds': { type: 'string', default: '7500' },
  },
});
const port = Number(values.port);
const flow = Number(values.flow);
const socket = createSocket(values.family === '6' ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' });
const tally = new FlowTally();
let foreign = 0;
let stopping = false;

function stop(): void {
  if (stopping) return;
  stopping = true;
  setTimeout(() => {
    const drops = readFileSync(values.family === '6' ? '/proc/self/net/udp6' : '/proc/self/net/udp', 'utf8');
    const report: SinkReport = { ...tally.report(), foreign, sinkDropped: udpDrops(drops, port) };
    process.stdout.write(`${JSON.stringify({ report })}\n`);
    socket.close();
  }, IN_FLIGHT_MS);
}

socket.on('message', (bytes) => {
  const receivedAtMonoNs = process.hrtime.bigint();
  const packet = readPacket(bytes);
  if (!packet.ok || packet.value.flow !== flow) foreign++;
  else if (!tally.note(packet.value.sequence, packet.value.sentAtMonoNs, receivedAtMonoNs)) foreign++;
});
socket.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
  socket.close();
});
socket.bind(port, () => {
  socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
});
process.once('SIGTERM', stop);
setTimeout(stop, Number(values['max-seconds']) * 1_000).unref();
