/** How busy the machine of the lab was: where it had no time to spare, delays and losses tell of it and not of the mesh. */
import { readFile } from 'node:fs/promises';

/** Of all processors together, in clock ticks since the machine started. Source: proc_stat(5). */
export interface ProcessorTimes {
  readonly totalTicks: number;
  readonly idleTicks: number;
  /** Taken by other virtual machines of the same host. */
  readonly stolenTicks: number;
}

/** Shares of the time between two readings, 0 to 1. */
export interface ProcessorShares {
  readonly idle: number;
  readonly stolen: number;
}

/** With less idle time than this, or more stolen, a late packet is the machine's. Seen: labs of three hosts miss bounds below it. */
const IDLE_LEAST = 0.15;
const STOLEN_MOST = 0.03;

/** Null where there is no /proc/stat of the usual form. */
export async function readProcessorTimes(): Promise<ProcessorTimes | null> {
  return parseProcessorTimes(await readFile('/proc/stat', 'utf8').catch(() => ''));
}

/** `cpu user nice system idle iowait irq softirq steal ...`; later columns are contained in earlier ones. */
export function parseProcessorTimes(text: string): ProcessorTimes | null {
  const columns = /^cpu +(\d+(?: \d+){7,})/m.exec(text)?.[1]?.split(' ').slice(0, 8).map(Number);
  if (columns === undefined) return null;
  const [, , , idle = 0, waiting = 0, , , stolen = 0] = columns;
  return { totalTicks: columns.reduce((sum, ticks) => sum + ticks, 0), idleTicks: idle + waiting, stolenTicks: stolen };
}

/** Null when a reading is missing or no time has passed. */
export function processorShares(before: ProcessorTimes | null, after: ProcessorTimes | null): ProcessorShares | null {
  if (before === null || after === null || after.totalTicks <= before.totalTicks) return null;
  const total = after.totalTicks - before.totalTicks;
  return {
    idle: Math.max(0, after.idleTicks - before.idleTicks) / total,
    stolen: Math.max(0, after.stolenTicks - before.stolenTicks) / total,
  };
}

/** A sentence for whoever reads a missed expectation; null when the machine had time enough. */
export function busyMachine({ idle, stolen }: ProcessorShares): string | null {
  if (idle >= IDLE_LEAST && stolen <= STOLEN_MOST) return null;
  return `the machine was busy: its processors were idle for ${percent(idle)} of the run, and other machines took ${percent(stolen)} of their time; what was missed may be due to that`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
