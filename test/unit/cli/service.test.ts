import { expect, test } from 'vitest';
import { runService, STOP_LIMIT_MS } from '../../../cli/service.ts';
import type { Clock } from '../../../protocol/clock.ts';
import { ThalwegError } from '../../../protocol/error.ts';
import { silentLogger } from '../../../protocol/log.ts';

/** A service whose life the test decides, and signals that the test sends. */
function scene() {
  let signal: (name: 'SIGTERM') => void = () => {};
  let limit: (() => void) | undefined;
  const clock: Clock = {
    nowMs: () => 0,
    monoMs: () => 0,
    after(delayMs, callback) {
      expect(delayMs).toBe(STOP_LIMIT_MS);
      limit = callback;
      return { cancel() {} };
    },
  };
  const untilSignal = () =>
    new Promise<'SIGTERM'>((resolve) => {
      signal = resolve;
    });
  const io = { untilSignal };
  return { deps: { io, clock, log: silentLogger }, signal: () => signal('SIGTERM'), passLimit: () => limit?.() };
}

test('a signal stops the service, and it ends with 0', async () => {
  const { deps, signal } = scene();
  let stops = 0;
  const run = runService(deps, async () => ({ stop: async () => void stops++ }));
  signal();
  expect(await run).toBe(0);
  expect(stops).toBe(1);
});

test('a signal during the start is not lost: the service is stopped when it has started', async () => {
  const { deps, signal } = scene();
  let started: (service: { stop(): Promise<void> }) => void = () => {};
  let stopped = false;
  const starting = new Promise<{ stop(): Promise<void> }>((resolve) => {
    started = resolve;
  });
  const run = runService(deps, () => starting);
  signal();
  started({
    stop: async () => {
      stopped = true;
    },
  });
  expect(await run).toBe(0);
  expect(stopped).toBe(true);
});

test('a stop that hangs ends with 1 after the limit', async () => {
  const { deps, signal, passLimit } = scene();
  const run = runService(deps, async () => ({
    stop: () => {
      queueMicrotask(() => queueMicrotask(passLimit));
      return new Promise<void>(() => {});
    },
  }));
  signal();
  expect(await run).toBe(1);
});

test('a refusal that needs a person stops the service and is passed on', async () => {
  const { deps } = scene();
  let stopped = false;
  const removed = new ThalwegError('node_removed', 'this node was removed');
  const run = runService(deps, async () => ({
    stop: async () => {
      stopped = true;
    },
    ended: Promise.reject(removed),
  }));
  await expect(run).rejects.toBe(removed);
  expect(stopped).toBe(true);
});

test('a service that ends by itself ends with 0; one that cannot start says why', async () => {
  expect(await runService(scene().deps, async () => ({ stop: async () => {}, ended: Promise.resolve() }))).toBe(0);
  await expect(
    runService(scene().deps, async () => {
      throw new ThalwegError('port_in_use', 'taken');
    }),
  ).rejects.toThrow('taken');
});
