/** Entry of the planning thread: takes requests, answers with plans, one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import { PlanMaker, type PlanMakerOptions } from './plan-maker.ts';
import type { PlanRequest } from './plan-request.ts';

const port = parentPort;
if (port === null) throw new ThalwegError('internal', 'the planning worker was not started as a worker thread');

const maker = new PlanMaker({ stopwatchMs: () => systemClock.monoMs() }, workerData as PlanMakerOptions);
port.on('message', (request: PlanRequest) => port.postMessage(maker.makeNow(request)));
