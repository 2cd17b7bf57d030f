/** Renewal of node certificates over the session that a node has. */
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import type { CertificateAuthority } from '../identity/certificate-authority.ts';
import { parseSigningRequest } from '../identity/signing-request.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeRecord } from '../store/store.ts';
import type { AgentSession } from './agent-session.ts';

export interface NodeRenewalDeps {
  readonly authority: CertificateAuthority;
  readonly registry: NodeRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

export class NodeRenewal {
  readonly #deps: NodeRenewalDeps;
  readonly #lifetimeMs: number;

  constructor(deps: NodeRenewalDeps, options: { readonly certificateLifetimeMs: number }) {
    this.#deps = deps;
    this.#lifetimeMs = options.certificateLifetimeMs;
  }

  /** Answers with a new certificate; that of the session stays good beside it. Throws invalid_argument. */
  renew(session: AgentSession, node: NodeRecord, signingRequestDer: Uint8Array): void {
    const { authority, clock, registry, log } = this.#deps;
    const signing = parseSigningRequest(signingRequestDer);
    if (!signing.ok) throw new ThalwegError('invalid_argument', signing.reason);
    const issued = authority.issueNodeCertificate(node.id, signing.value.publicKey, clock.nowMs(), this.#lifetimeMs);
    registry.setCertificate(node, issued, session.options.serial, false);
    session.send({ case: 'renewResponse', value: { certificateDer: issued.der } });
    log.info('certificate renewed', { name: node.name, serial: issued.serial });
  }
}
