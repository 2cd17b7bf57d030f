/** Checks of what a prober is told, made before anything reaches the probing thread. */
import { isIPv4 } from 'node:net';
import { ThalwegError } from '../../protocol/error.ts';
import type { DetectionSettings, ProbeSettings, ProbeTarget } from './prober.ts';

/** 100 probes/s and peer: beyond that the probes are load, not measurement. */
const INTERVAL_MIN_MS = 10;
const INTERVAL_MAX_MS = 60_000;

/** Throws invalid_argument. `deadAfterMs` below two intervals would let one lost probe take a link down. */
export function checkSettings({ intervalMs, deadAfterMs, detection }: ProbeSettings): void {
  if (detection !== undefined) checkDetection(detection);
  if (!Number.isFinite(intervalMs) || intervalMs < INTERVAL_MIN_MS || intervalMs > INTERVAL_MAX_MS) {
    throw new ThalwegError(
      'invalid_argument',
      `probe intervalMs ${intervalMs} is not ${INTERVAL_MIN_MS} to ${INTERVAL_MAX_MS}`,
    );
  }
  if (!Number.isFinite(deadAfterMs) || deadAfterMs < 2 * intervalMs) {
    throw new ThalwegError(
      'invalid_argument',
      `deadAfterMs ${deadAfterMs} is less than two probe intervals of ${intervalMs} ms`,
      { nextStep: 'raise deadAfterMs or probe more often' },
    );
  }
}

function checkDetection({ watchedMs, idleMs, packetsPerSecond, processorShare }: DetectionSettings): void {
  const ranges = [
    ['watchedMs', watchedMs, INTERVAL_MIN_MS, INTERVAL_MAX_MS],
    ['idleMs', idleMs, INTERVAL_MIN_MS, INTERVAL_MAX_MS],
    ['packetsPerSecond', packetsPerSecond, 1, 1e6],
    ['processorShare', processorShare, 0.001, 1],
  ] as const;
  for (const [name, value, least, most] of ranges) {
    if (Number.isFinite(value) && value >= least && value <= most) continue;
    throw new ThalwegError('invalid_argument', `probe ${name} ${value} is not ${least} to ${most}`);
  }
}

/** Throws invalid_argument when an address is not IPv4, a port is out of range, or two targets share an endpoint. */
export function checkTargets(targets: readonly ProbeTarget[]): void {
  const seen = new Set<string>();
  for (const { peerIndex, address, port } of targets) {
    if (!isIPv4(address)) {
      throw new ThalwegError('invalid_argument', `address ${address} of probe target ${peerIndex} is not IPv4`);
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new ThalwegError('invalid_argument', `port ${port} of probe target ${peerIndex} is not 1 to 65535`);
    }
    const endpoint = `${address}:${port}`;
    if (seen.has(endpoint)) throw new ThalwegError('invalid_argument', `two probe targets share ${endpoint}`);
    seen.add(endpoint);
  }
}
