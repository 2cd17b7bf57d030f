/** The thread that speaks to NATS: see nats-bridge.ts. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import type { LinkWorkerData, MessageFromLink, MessageToLink } from './link-message.ts';
import { NatsLink } from './nats-link.ts';

const { settings, signal, port } = workerData as LinkWorkerData;
const messages = new Int32Array(signal);

function tell(message: MessageFromLink): void {
  port.postMessage(message);
  Atomics.add(messages, 0, 1);
  Atomics.notify(messages, 0);
}

const link = new NatsLink({ clock: systemClock, tell }, settings);
port.on('message', ({ ticket, request }: MessageToLink) => {
  link.answer(request).then(
    (answer) => {
      tell({ kind: 'answer', ticket, answer });
      if (request.kind === 'close') port.close();
    },
    (cause: unknown) => {
      const code = cause instanceof ThalwegError ? cause.code : 'storage_failed';
      tell({ kind: 'refusal', ticket, code, message: cause instanceof Error ? cause.message : String(cause) });
    },
  );
});
