/** Why a session that was good in form is not kept. */
import { ThalwegError } from '../../protocol/error.ts';

export function knowsNoLeaves(name: string, software: string): ThalwegError {
  return new ThalwegError(
    'protocol_version',
    `the agent of ${name} (${software}) knows no leaves, and this mesh has them`,
    {
      nextStep: 'upgrade the agent, or run the core with --engine mesh',
    },
  );
}

export function replaced(name: string): ThalwegError {
  return new ThalwegError('replaced', `node ${name} has opened a newer session`, {
    nextStep: 'if two devices run with the same identity, stop one and let it join by itself',
  });
}

export function standingBy(): ThalwegError {
  return new ThalwegError('standing_by', 'this core stands by: another one steers', {
    nextStep: 'nothing: the agent tries the next address of its join token by itself',
  });
}
