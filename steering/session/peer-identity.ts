/** Whose certificate a connection presents, and whether it may open a session. */
import type { X509Certificate } from 'node:crypto';
import { ThalwegError } from '../../protocol/error.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeRecord } from '../store/store.ts';
import { describeDuration } from './rough-duration.ts';

export type PeerIdentity =
  | { readonly kind: 'node'; readonly node: NodeRecord; readonly serial: string }
  /** Ours, but refused: the session is opened only to say why. */
  | { readonly kind: 'refused'; readonly error: ThalwegError }
  /** No certificate, or another CA's: no session at all. */
  | { readonly kind: 'stranger'; readonly error: ThalwegError };

const REJOIN = 'join the device again with a new token';

/**
 * Node certificates live for a day and are renewed over the session. A device that was off, or whose core was away,
 * comes back with an expired one: for `graceMs` after its end it is still good for the node that holds it, because a
 * removed node is refused by its id whatever its dates say.
 */
export function identifyPeer(
  certificate: X509Certificate | undefined,
  deps: { readonly authority: Pick<CertificateAuthority, 'hasSigned'>; readonly registry: NodeRegistry },
  nowMs: number,
  graceMs: number,
): PeerIdentity {
  if (certificate === undefined) return stranger('a session needs a client certificate', REJOIN);
  if (!deps.authority.hasSigned(certificate)) {
    return stranger('the client certificate is not of this mesh', REJOIN);
  }
  const id = /^CN=(n-[a-z2-7]{20})$/.exec(certificate.subject)?.[1];
  if (id === undefined) return stranger('the client certificate names no node', REJOIN);
  const node = deps.registry.byId(id);
  if (node === undefined) {
    return deps.registry.wasRemoved(id)
      ? refused('node_removed', `node ${id} was removed from the mesh`, REJOIN)
      : refused('certificate_invalid', `this core does not know node ${id}`, REJOIN);
  }
  const serial = certificate.serialNumber;
  if (serial !== node.serial && serial !== node.previousSerial) {
    return refused('certificate_invalid', `the certificate of node ${node.name} was replaced by a newer one`, REJOIN);
  }
  const expiredMs = nowMs - Date.parse(certificate.validTo);
  if (expiredMs > graceMs) {
    const ago = describeDuration(expiredMs);
    return refused('certificate_invalid', `the certificate of node ${node.name} expired ${ago} ago`, REJOIN);
  }
  return { kind: 'node', node, serial };
}

function refused(code: 'node_removed' | 'certificate_invalid', message: string, nextStep: string): PeerIdentity {
  return { kind: 'refused', error: new ThalwegError(code, message, { nextStep }) };
}

function stranger(message: string, nextStep: string): PeerIdentity {
  return { kind: 'stranger', error: new ThalwegError('certificate_invalid', message, { nextStep }) };
}
