/** Entry of the probing thread: one probe loop, and nothing else that could make a time stamp late. */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { kernelEcho } from './kernel-echo.ts';
import { ProbeLoop } from './probe-loop.ts';
import {
  type MessageFromWorker,
  type MessageToWorker,
  type ProberWorkerData,
  packSummaries,
} from './prober-message.ts';
import { stampSocketOpener } from './stamp-socket.ts';

const port = parentPort;
if (port === null) throw new ThalwegError('internal', 'the prober worker was not started as a worker thread');

const { options, targets } = workerData as ProberWorkerData;
const post = (message: MessageFromWorker, handOver: ArrayBuffer[] = []): void => port.postMessage(message, handOver);

let utilisation = performance.eventLoopUtilization();
const loop = new ProbeLoop(
  {
    askKernel: kernelEcho(options.bindAddress, options.reflectorPort),
    processorShare: () => {
      const before = utilisation;
      utilisation = performance.eventLoopUtilization();
      return performance.eventLoopUtilization(utilisation, before).utilization;
    },
    clock: systemClock,
    openSocket: stampSocketOpener(systemClock),
    onSummary: (summaries, counters) => {
      const links = packSummaries(summaries);
      post({ kind: 'summary', links, counters }, [links.buffer]);
    },
  },
  options,
);
loop.setTargets(targets);

port.on('message', (message: MessageToWorker) => {
  switch (message.kind) {
    case 'targets':
      return loop.setTargets(message.targets);
    case 'settings':
      return loop.setSettings(message.settings);
    case 'stop':
      // With the sockets and the port closed nothing keeps the thread alive.
      void loop.stop().then(() => port.close());
  }
});

loop.start().then(
  () => post({ kind: 'started' }),
  (error: unknown) => {
    const refusal = error instanceof ThalwegError ? error : new ThalwegError('internal', String(error));
    post({ kind: 'refused', error: refusal.toJSON() });
    port.close();
  },
);
