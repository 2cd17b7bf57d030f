/** The thread of a TrafficPlanner: one task at a time, in the order they come. */
import { parentPort } from 'node:worker_threads';
import { TrafficOptimiser } from './optimise.ts';
import { answerTrafficTask, type TrafficTask } from './traffic-task.ts';

const port = parentPort;
if (port === null) throw new Error('traffic-worker runs as a worker thread only');
const optimiser = new TrafficOptimiser();
port.on('message', (task: TrafficTask) => port.postMessage(answerTrafficTask(task, optimiser)));
