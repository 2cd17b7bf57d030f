/** The thread that speaks to NATS: see nats-bridge.ts. */
import { workerData } from 'node:worker_threads';
import { systemClock } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { type LinkWorkerData, type MessageFromLink, type MessageToLink, SIGNAL } from './link-message.ts';
import { NatsLink } from './nats-link.ts';

const { settings, signal, port, coreId } = workerData as LinkWorkerData;
const numbers = new Int32Array(signal);

function tell(message: MessageFromLink): void {
  if (message.kind === 'lease') Atomics.store(numbers, SIGNAL.mayAct, message.state.isHeld ? 1 : 0);
  port.postMessage(message);
  Atomics.add(numbers, SIGNAL.messages, 1);
  Atomics.notify(numbers, SIGNAL.messages);
}

const link = new NatsLink(
  { clock: systemClock, tell, pulse: () => Atomics.load(numbers, SIGNAL.alive) },
  { settings, coreId },
);
port.on('message', (message: MessageToLink) => {
  if ('relay' in message) {
    link.relay(message.relay);
    return;
  }
  const { ticket, request } = message;
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
