/** Every decoder that bytes from outside reach. */
import { makeCertificateSeeds } from './certificate-seeds.ts';
import { fileTargets } from './file-targets.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { outputTargets } from './output-targets.ts';
import { socketTargets } from './socket-targets.ts';

export async function allTargets(): Promise<readonly FuzzTarget[]> {
  return [...socketTargets(await makeCertificateSeeds()), ...outputTargets(), ...fileTargets()];
}
