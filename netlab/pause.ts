/** Adapter: waits, and keeps the process alive meanwhile, which the timers of protocol/clock.ts do not. */
import { setTimeout } from 'node:timers/promises';

export async function pause(delayMs: number): Promise<void> {
  await setTimeout(delayMs);
}
