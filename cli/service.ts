/** Runs a long-lived program until a signal or its own end, then stops it within a deadline. */
import { type Clock, systemClock } from '../protocol/clock.ts';
import type { Logger } from '../protocol/log.ts';
import type { CliIo } from './cli-io.ts';
import { EXIT } from './exit-code.ts';

export interface RunningService {
  stop(): Promise<void>;
  /** Settles when the program ends by itself; rejects when a person has to act. */
  readonly ended?: Promise<void>;
}

/** systemd sends SIGKILL after 90 s by default; ten seconds is what a person at a terminal waits for. */
export const STOP_LIMIT_MS = 10_000;

/**
 * Resolves with the exit code: 0 after a signal and a clean stop, 1 when stop() did not end in time. Rejects with
 * what start() or `ended` rejected with, after the program has been stopped.
 */
export async function runService(
  deps: { io: Pick<CliIo, 'untilSignal'>; log: Logger; clock?: Clock },
  start: () => Promise<RunningService>,
): Promise<number> {
  const { io, log, clock = systemClock } = deps;
  const signal = io.untilSignal();
  const starting = start();
  const early = await Promise.race([starting.then(() => undefined), signal]);
  if (early !== undefined) log.info('stopping during start', { signal: early });
  const stopped = withLimit(clock, async () => (await starting).stop());
  if (early !== undefined) return stopped();
  const service = await starting;
  let failure: { readonly error: unknown } | undefined;
  const ended = (service.ended ?? new Promise<never>(() => {})).then(
    () => undefined,
    (error: unknown) => {
      failure = { error };
      return undefined;
    },
  );
  const name = await Promise.race([signal, ended]);
  log.info('stopping', { signal: name ?? null });
  const code = await stopped();
  if (failure !== undefined) throw failure.error;
  if (code !== EXIT.ok) log.error('stop did not end in time', { limitMs: STOP_LIMIT_MS });
  return code;
}

function withLimit(clock: Clock, stop: () => Promise<void>): () => Promise<number> {
  return () => {
    const limit = new Promise<number>((resolve) => {
      clock.after(STOP_LIMIT_MS, () => resolve(EXIT.failed));
    });
    return Promise.race([stop().then(() => EXIT.ok), limit]);
  };
}
