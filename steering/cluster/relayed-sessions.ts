/**
 * The solver's side of the relay: one link for each core that holds agents' connections, and a session for each of these agents,
 * which `owner` cannot tell from one of its own. Links that break are begun again by the holder, which then announces
 * all that it has; sessions of a core that is not heard of for a while are over.
 */
import type { Clock, Timer } from '../../protocol/clock.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { HolderRecord, SessionOpened } from '../../protocol/gen/thalweg/v1/relay_pb.ts';
import type { Logger } from '../../protocol/log.ts';
import type { CoreMetrics } from '../metrics.ts';
import type { NodeRegistry } from '../registry/node-registry.ts';
import type { NodeSession, SessionOwner } from '../session/node-session.ts';
import { RelayLink } from './relay-link.ts';
import { decodeHolderRecords } from './relay-message.ts';
import { decodeRelayPacket, type RelayPacket } from './relay-packet.ts';
import type { RelayPort } from './relay-port.ts';
import { RelayedSession } from './relayed-session.ts';

export const BEAT_MS = 500;
/**
 * Beats without a word of a holder after which it counts as dead. They are counted here and not reckoned from a clock: where
 * this core itself was late, what others said meanwhile is read before the next one.
 */
const MISSED_BEATS = 5;
/** Gathers what goes to one holder at a moment. */
const FLUSH_MS = 1;
/** Its agents come back elsewhere, or with the log entry that is not here yet. */
const UNKNOWN_RETRY_MS = 2000;

export interface RelayedSessionsDeps {
  readonly port: RelayPort;
  readonly owner: SessionOwner & { opened(session: NodeSession): void };
  readonly registry: NodeRegistry;
  /** Brings the registry up to date with what other cores have committed, where they can be asked. */
  readonly refresh: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: CoreMetrics;
}

interface Holder {
  readonly core: string;
  link: RelayLink;
  /** By the holder's number. */
  sessions: Map<number, RelayedSession>;
  /** Those of links before that were not announced on this one yet, by the holder's number. */
  before: Map<number, RelayedSession>;
  missed: number;
  timer: Timer | undefined;
}

export class RelayedSessions {
  readonly #deps: RelayedSessionsDeps;
  readonly #holders = new Map<string, Holder>();
  #term = 0;
  #timer: Timer | undefined;

  constructor(deps: RelayedSessionsDeps) {
    this.#deps = deps;
  }

  /** This core steers, with this term. Called once. */
  start(term: number): void {
    this.#term = term;
    this.#deps.port.serve(term);
    this.#beat();
  }

  /** Agents stay with their holders. Idempotent. */
  stop(): void {
    this.#timer?.cancel();
    for (const holder of this.#holders.values()) holder.timer?.cancel();
  }

  /** Cores that hold connections for this one. */
  get links(): number {
    return this.#holders.size;
  }

  /** A packet of another core. Never throws on its content. */
  packet(core: string, bytes: Uint8Array): void {
    const packet = decodeRelayPacket(bytes);
    if (!packet.ok) {
      this.#drop('malformed_packet');
      return;
    }
    if (this.#term === 0 || packet.value.term !== this.#term) {
      this.#drop('other_term');
      return;
    }
    const holder = this.#holderOf(core, packet.value);
    if (holder === undefined) return;
    holder.missed = 0;
    if (holder.link.isBroken) return;
    const received = holder.link.receive(packet.value);
    if (received.broken) {
      this.#drop('gap');
      holder.link.reset();
      return;
    }
    if (received.message !== null) this.#message(holder, received.message);
  }

  #holderOf(core: string, { kind, link, seq }: RelayPacket): Holder | undefined {
    const known = this.#holders.get(core);
    const isNewer = known === undefined || link > known.link.name.link;
    if (!isNewer) return link === known.link.name.link ? known : undefined;
    const own = new RelayLink((packet) => this.#deps.port.toHolder(core, packet), { term: this.#term, link });
    if (seq !== 1 || (kind !== 'data' && kind !== 'part')) {
      own.reset();
      return undefined;
    }
    if (known !== undefined) {
      // what they are told from now on goes nowhere: they are announced again, or over
      const sessions = [...known.sessions];
      Object.assign(known, { link: own, sessions: new Map(), missed: 0 });
      for (const [number, session] of sessions) {
        if (session.isOpen) known.before.set(number, session);
        else session.disconnected('disconnected');
      }
      return known;
    }
    const holder: Holder = { core, link: own, sessions: new Map(), before: new Map(), missed: 0, timer: undefined };
    this.#holders.set(core, holder);
    this.#deps.log.info('a core holds sessions for this one', { core });
    return holder;
  }

  #message(holder: Holder, message: Uint8Array): void {
    const records = decodeHolderRecords(message);
    if (!records.ok) {
      this.#drop('malformed_message');
      holder.link.reset();
      return;
    }
    for (const record of records.value) this.#record(holder, record);
  }

  #record(holder: Holder, { session: number, body }: HolderRecord): void {
    const session = holder.sessions.get(number);
    switch (body.case) {
      case 'opened':
        if (session === undefined) this.#opened(holder, number, body.value);
        else this.#drop('unknown_session');
        return;
      case 'allAnnounced':
        for (const gone of [...holder.before.values()]) gone.disconnected('disconnected');
        return;
      case 'frame':
        // it may have crossed with the end of its session
        if (session === undefined) this.#drop('unknown_session');
        else session.receive(body.value);
        return;
      case 'clockSkewMs':
        session?.clockSkew(Number(body.value));
        return;
      case 'closed':
        session?.disconnected(body.value);
        return;
      default:
        return;
    }
  }

  #opened(holder: Holder, number: number, opened: SessionOpened): void {
    const { owner, metrics } = this.#deps;
    const { nodeId, index, serial, remoteAddress, epoch } = opened;
    const { link } = holder;
    const session = new RelayedSession(
      {
        owner,
        put: (record) => this.#put(holder, link, record),
        onClosed: (gone, reason) => {
          if (holder.before.get(number) === gone) holder.before.delete(number);
          if (holder.sessions.get(number) === gone) holder.sessions.delete(number);
          metrics.sessionsClosed.inc({ reason });
        },
      },
      number,
      { nodeId, index, serial, remoteAddress: remoteAddress === '' ? null : remoteAddress },
      epoch,
    );
    holder.before.get(number)?.disconnected('announced_again');
    holder.sessions.set(number, session);
    owner.opened(session);
    const error = this.#refusal(opened);
    if (error === undefined) session.announced(opened.hello);
    else session.refuse(error, error.code === 'node_removed' ? 0 : UNKNOWN_RETRY_MS);
  }

  /** The holder has seen the certificate; whether the node is still one of the mesh shows here. */
  #refusal(opened: SessionOpened): ThalwegError | undefined {
    if (this.#isMember(opened)) return undefined;
    // it may have joined at another core a moment ago
    if (this.#deps.refresh() && this.#isMember(opened)) return undefined;
    const { registry } = this.#deps;
    return registry.wasRemoved(opened.nodeId)
      ? new ThalwegError('node_removed', `node ${opened.nodeId} was removed from the mesh`)
      : new ThalwegError('certificate_invalid', `the core that steers does not know node ${opened.nodeId} so`);
  }

  #isMember({ nodeId, index, serial }: SessionOpened): boolean {
    const node = this.#deps.registry.byId(nodeId);
    return node !== undefined && node.index === index && (serial === node.serial || serial === node.previousSerial);
  }

  #put(holder: Holder, link: RelayLink, record: Uint8Array): void {
    if (holder.link !== link || link.isBroken) return;
    if (link.put(record)) holder.timer = this.#deps.clock.after(FLUSH_MS, () => this.#flush(link));
    else if (link.isBroken) this.#flush(link);
  }

  #flush(link: RelayLink): void {
    link.flush();
    if (!link.isBroken) return;
    this.#drop('backlog');
    link.reset();
  }

  #beat(): void {
    this.#deps.metrics.relayLinks.set(this.links);
    for (const holder of [...this.#holders.values()]) {
      if (++holder.missed > MISSED_BEATS) this.#lost(holder);
      else if (holder.link.isBroken) holder.link.reset();
      else holder.link.beat();
    }
    this.#timer = this.#deps.clock.after(BEAT_MS, () => this.#beat());
  }

  #lost(holder: Holder): void {
    const sessions = [...holder.sessions.values(), ...holder.before.values()];
    this.#holders.delete(holder.core);
    holder.timer?.cancel();
    for (const session of sessions) session.disconnected('holder_lost');
    this.#deps.log.warn('a core that held sessions is not heard of any more', {
      core: holder.core,
      sessions: sessions.length,
    });
  }

  #drop(reason: string): void {
    this.#deps.metrics.relayDropped.inc({ reason });
  }
}
