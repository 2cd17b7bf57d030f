/**
 * Certificates of nodes that are there: renewed over the session, and moved to another CA while one follows the other. A
 * node's certificate is only ever of a CA that the node has said it trusts: what its disk holds is never worth less than before.
 */
import type { Clock } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { TrustReport } from '../../protocol/gen/thalweg/v1/session_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import type { MeshAuthority } from '../identity/mesh-authority.ts';
import { parseSigningRequest } from '../identity/signing-request.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeRecord } from '../store/store.ts';
import type { NodeSession } from './node-session.ts';

/** Twenty a second: each is a signature and a commit, beside the core's own work. */
const RENEWAL_MS = 50;
/** A million nodes would take 14 hours; their certificates last for a day. */
const MAX_SPREAD_MS = 6 * 3_600_000;

export interface NodeRenewalDeps {
  readonly authority: MeshAuthority;
  readonly registry: NodeRegistry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where a node stands between two CAs. `old`: also a node whose agent knows no rotation. */
export type NodeCa = 'new' | 'waiting' | 'old';

export class NodeRenewal {
  readonly #deps: NodeRenewalDeps;
  readonly #lifetimeMs: number;
  /** Session -> what its node said last: fingerprints in hex. Absent: its agent knows no Trust frames. */
  readonly #reports = new Map<NodeSession, { readonly trusted: ReadonlySet<string>; readonly issuer: string }>();

  constructor(deps: NodeRenewalDeps, options: { readonly certificateLifetimeMs: number }) {
    this.#deps = deps;
    this.#lifetimeMs = options.certificateLifetimeMs;
  }

  /** Answers with a new certificate; that of the session stays good beside it. Throws invalid_argument. */
  renew(session: NodeSession, node: NodeRecord, signingRequestDer: Uint8Array): void {
    const { authority, clock, registry, log } = this.#deps;
    const signing = parseSigningRequest(signingRequestDer);
    if (!signing.ok) throw new ThalwegError('invalid_argument', signing.reason);
    const trusted = this.#reports.get(session)?.trusted;
    const issuer = authority.anchors.findLast(({ fingerprint }) => trusted?.has(fingerprint)) ?? authority.anchors[0];
    if (issuer === undefined) throw new ThalwegError('internal', 'there is no CA');
    const issued = issuer.issueNodeCertificate(node.id, signing.value.publicKey, clock.nowMs(), this.#lifetimeMs);
    registry.setCertificate(node, issued, session.options.serial, false);
    session.send({ case: 'renewResponse', value: { certificateDer: issued.der } });
    log.info('certificate renewed', { name: node.name, serial: issued.serial });
  }

  /** What the node's disk holds, from its Hello or since. Tells it what to trust where that is something else. */
  reported(session: NodeSession, report: TrustReport | undefined): void {
    if (report === undefined || session.isClosed) return;
    const trusted = new Set(report.caFingerprints.map(hex));
    this.#reports.set(session, { trusted, issuer: hex(report.issuerFingerprint) });
    const { anchors } = this.#deps.authority;
    const isRight = trusted.size === anchors.length && anchors.every(({ fingerprint }) => trusted.has(fingerprint));
    if (!isRight) this.#tell(session);
  }

  closed(session: NodeSession): void {
    this.#reports.delete(session);
  }

  /** The CAs have changed: every node that is there hears of it. */
  tellAll(): void {
    for (const session of this.#reports.keys()) this.#tell(session);
  }

  /** By what the node itself says, where it is there; else by the certificate that was issued last. */
  standing(node: NodeRecord, session: NodeSession | undefined): NodeCa {
    const newest = this.#deps.authority.anchors.at(-1);
    const report = session === undefined ? undefined : this.#reports.get(session);
    if (report !== undefined) return report.issuer === newest?.fingerprint ? 'new' : 'waiting';
    return newest?.hasNumbered(node.serial) === true ? 'new' : 'old';
  }

  #tell(session: NodeSession): void {
    const { authority, registry } = this.#deps;
    const caDer = authority.anchors.map(({ certificate }) => new Uint8Array(certificate.raw));
    const renewWithinMs = Math.min(MAX_SPREAD_MS, registry.size * RENEWAL_MS);
    session.send({ case: 'trust', value: { caDer, renewWithinMs } });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
