/** Entry of a thread that computes rows: does the tasks that it is sent, one after the other, and answers each. */
import { parentPort } from 'node:worker_threads';
import { ThalwegError } from '../../../protocol/error.ts';
import type { LaneAnswer } from './lane-pool.ts';
import { type LaneTask, LaneThread } from './lane-task.ts';

const port = parentPort;
if (port === null) throw new ThalwegError('internal', 'the lane worker was not started as a worker thread');

const thread = new LaneThread();
port.on('message', (task: LaneTask) => port.postMessage(answerTo(task)));

function answerTo(task: LaneTask): LaneAnswer {
  try {
    thread.run(task);
    return { kind: 'done' };
  } catch (error) {
    const refusal = error instanceof ThalwegError ? error : new ThalwegError('internal', String(error));
    return { kind: 'failed', error: refusal.toJSON() };
  }
}
