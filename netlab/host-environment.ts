/** What a lab's programs find in their environment, beside what the lab itself has. */
import { availableParallelism } from 'node:os';

/**
 * Hosts of a lab share the machine's CPUs. Go starts as many threads as there are CPUs, on each host, and these wake one
 * another: with thirteen hosts on two CPUs, one thread each takes 2.0 % of a CPU per host instead of 3.4 %. Whoever sets
 * GOMAXPROCS has decided otherwise. A few hosts, seldom busy all at once, get a thread more: one thread that also does the
 * kernel's part of forwarding makes a detour through it a tenth slower.
 */
export function hostEnvironment(
  hostCount: number,
  set: string | undefined = process.env['GOMAXPROCS'],
): Readonly<Record<string, string>> {
  if (set !== undefined) return {};
  const cpus = availableParallelism();
  return { GOMAXPROCS: `${Math.min(cpus, Math.ceil((2 * cpus) / Math.max(1, hostCount)))}` };
}
