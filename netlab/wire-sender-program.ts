/**
 * The wire's second thread: sleeps until the first frame is due and sends it, without an event loop in the way.
 * Timers of Node are good to 1 ms; Atomics.wait is good to about 60 microseconds, and sleeping costs nothing.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { DueHeap } from './due-heap.ts';
import { type FrameStoreMemory, FrameStoreSender, SLOT_COUNT } from './frame-store.ts';
import { monoUs } from './mono-us.ts';
import { GAUGE_PORT, SOCAT_BASE_PORT, WIRE_BASE_PORT } from './wire-control.ts';

/** Linux lets an ordinary thread's sleep end up to 50 microseconds late (timer slack): ask for that much less. */
const WAKE_EARLY_US = 50;
/** What is due this soon is sent now: another sleep would cost more than it gains. */
const SEND_EARLY_US = 15;
/** The sleep word holds 35 minutes; an idle wire looks at the clock this often. */
const MAX_SLEEP_US = 60e6;

export interface WireSenderData {
  readonly memory: FrameStoreMemory;
  readonly hostCount: number;
}

async function openPort(number: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('error', () => {}); // a refused datagram: that host's socat is gone
  socket.connect(number === GAUGE_PORT ? WIRE_BASE_PORT : SOCAT_BASE_PORT + number, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Runs until stopped. Returns true to be called again after a turn of the event loop, which flushes queued sends. */
function carry(store: FrameStoreSender, heap: DueHeap, ports: readonly Socket[]): boolean {
  while (!store.stopped) {
    const signal = store.signal;
    for (let slot = store.takeIncoming(); slot >= 0; slot = store.takeIncoming()) heap.push(store.dueUsOf(slot), slot);
    const nowUs = monoUs();
    let queued = false;
    while (heap.nextDue <= nowUs + SEND_EARLY_US) {
      const slot = heap.pop();
      const delivery = store.read(slot);
      const socket = delivery && ports[delivery.port];
      if (delivery !== undefined && socket !== undefined) {
        // On a connected socket this is one system call, made here and now; loopback takes it or drops it.
        socket.send(delivery.frame);
        queued ||= socket.getSendQueueCount() > 0;
      }
      store.giveBack(slot, socket !== undefined);
    }
    if (queued) return true;
    const untilUs = Math.min(heap.nextDue - WAKE_EARLY_US, nowUs + MAX_SLEEP_US);
    const againUs = monoUs();
    if (untilUs > againUs) store.sleep(signal, againUs, untilUs);
  }
  return false;
}

const { memory, hostCount } = workerData as WireSenderData;
const store = new FrameStoreSender(memory);
const heap = new DueHeap(SLOT_COUNT);
const ports: Socket[] = [];
for (let number = GAUGE_PORT; number <= hostCount; number++) ports[number] = await openPort(number);
parentPort?.postMessage('ready');
const run = () => {
  if (carry(store, heap, ports)) setImmediate(run);
  else for (const socket of ports) socket?.close();
};
run();
