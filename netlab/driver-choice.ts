/** Which link driver a lab gets. */
import { ThalwegError } from '../protocol/error.ts';
import type { DriverName } from './lab-spec.ts';
import { execMachine } from './machine-command.ts';
import { inNamespace } from './namespace.ts';

/**
 * Pure. `delays`: some link asks for delay or jitter, now or later. `wanted` undefined: the cheapest driver that can do
 * it. Throws missing_kernel_feature, invalid_argument.
 */
export function chooseDriver(wanted: DriverName | undefined, delays: boolean, kernelHasNetem: boolean): DriverName {
  if (wanted === undefined) return !delays ? 'plain' : kernelHasNetem ? 'netem' : 'wire';
  if (wanted === 'netem' && !kernelHasNetem) {
    throw new ThalwegError('missing_kernel_feature', 'the link driver netem needs the kernel module sch_netem', {
      nextStep: 'choose the driver wire, or leave the choice to the lab',
    });
  }
  if (wanted === 'plain' && delays) {
    throw new ThalwegError('invalid_argument', 'the link driver plain cannot delay frames, and a link asks for delay', {
      nextStep: 'choose the driver wire, or leave the choice to the lab',
    });
  }
  return wanted;
}

/** Asks the kernel, in a namespace that is going to be removed anyway. Leaves nothing. */
export async function kernelHasNetem(namespace: string): Promise<boolean> {
  const netem = (verb: 'add' | 'del') =>
    execMachine(inNamespace(namespace, ['tc', 'qdisc', verb, 'dev', 'lo', 'root', 'netem', 'delay', '1ms']));
  if ((await netem('add')).exitCode !== 0) return false;
  await netem('del');
  return true;
}
