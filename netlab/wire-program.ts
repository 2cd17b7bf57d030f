/**
 * The wire: carries the frames of all hosts of one lab, each after its link's delay. Started by the lab as
 * `node wire-program.js <host count> <seed> <control socket>` inside the lab's `net` namespace.
 *
 *   TAP of host n <-> socat n  -- UDP to 127.0.0.1:10000+n --> this thread (shape, due time)
 *                              <- UDP to 127.0.0.1:30000+n --- wire-sender (holds, sends)
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { programFile } from '../protocol/program-file.ts';
import { FrameRouter } from './frame-router.ts';
import { allocateFrameStore, FrameStoreReceiver } from './frame-store.ts';
import { monoUs } from './mono-us.ts';
import { PathGauge } from './path-gauge.ts';
import { GAUGE_PORT, parseWireRequest, WIRE_BASE_PORT, type WireAnswer, type WireRequest } from './wire-control.ts';
import type { WireSenderData } from './wire-sender-program.ts';

/** As much as the host allows without touching its sysctls: a burst of 2,000 full frames. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** The wire gauges itself this often, with a frame that is due this much later. */
const GAUGE_INTERVAL_MS = 50;
const GAUGE_DELAY_US = 2000;
/** Whole path to gauge sample: fitted with `ping` on two virtual CPUs, idle and under load. */
const RUNS_PER_SAMPLE = 2;

const [hostCountText, seedText, controlPath] = process.argv.slice(2);
const hostCount = Number(hostCountText);
const seed = Number(seedText);
if (!Number.isInteger(hostCount) || hostCount < 1 || !Number.isInteger(seed) || controlPath === undefined) {
  process.stderr.write('usage: wire-program <host count> <seed> <control socket>\n');
  process.exit(2);
}

const memory = allocateFrameStore(hostCount);
const store = new FrameStoreReceiver(memory);
const gauge = new PathGauge({ runsPerSample: RUNS_PER_SAMPLE });
const router = new FrameRouter(
  {
    deliver: (to, frame, dueUs) => {
      if (!store.isPortUp(to)) return 'portDown';
      return store.hand(frame, to, dueUs) ? 'ok' : 'noSlot';
    },
  },
  { hostCount, seed },
);

/** Receives on a port of its own for every host; GAUGE_PORT is the wire's own. */
async function openPort(number: number): Promise<Socket> {
  const socket = createSocket('udp4', (frame) => {
    const nowUs = monoUs();
    // Taken off the entry, not the exit: so a link's frames stay in order while the gauge moves.
    if (number !== GAUGE_PORT) router.accept(number, frame, nowUs - gauge.overheadUs);
    else if (frame.length === 8) gauge.add(nowUs - frame.readDoubleLE());
  });
  socket.bind(WIRE_BASE_PORT + number, '127.0.0.1');
  await once(socket, 'listening');
  socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  return socket;
}

function answer(request: WireRequest): WireAnswer {
  switch (request.kind) {
    case 'setLinks':
      for (const { from, to } of request.links) {
        if (from > hostCount || to > hostCount || from === to) return { ok: false, reason: `no link ${from} to ${to}` };
      }
      for (const { from, to, shape } of request.links) router.setLink(from, to, shape);
      return { ok: true };
    case 'setPort':
      if (request.host > hostCount) return { ok: false, reason: `no host ${request.host}` };
      store.setPortUp(request.host, request.up);
      return { ok: true };
    case 'counters':
      return {
        ok: true,
        counters: {
          received: router.received,
          sent: store.sentCount,
          held: store.heldCount,
          overheadUs: gauge.overheadUs,
          dropped: router.dropped,
        },
      };
  }
}

const workerData: WireSenderData = { memory, hostCount };
const sender = new Worker(programFile('netlab/wire-sender-program'), { workerData });
await once(sender, 'message');
const ports: Socket[] = [];
for (let number = GAUGE_PORT; number <= hostCount; number++) ports.push(await openPort(number));
store.setPortUp(GAUGE_PORT, true);
const gaugeFrame = Buffer.alloc(8);
const gaugeTimer = setInterval(() => {
  const dueUs = monoUs() + GAUGE_DELAY_US;
  gaugeFrame.writeDoubleLE(dueUs);
  store.hand(gaugeFrame, GAUGE_PORT, dueUs);
}, GAUGE_INTERVAL_MS);

const control = createServer((connection) => {
  connection.on('error', () => connection.destroy());
  createInterface({ input: connection }).on('line', (line) => {
    const request = parseWireRequest(line);
    const reply: WireAnswer = request.ok ? answer(request.value) : { ok: false, reason: request.reason };
    connection.write(`${JSON.stringify(reply)}\n`);
  });
});
control.listen(controlPath);

const stop = () => {
  clearInterval(gaugeTimer);
  control.close();
  for (const port of ports) port.close();
  store.stop();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
sender.once('exit', (code) => process.exit(code));
