/** Who asks the API, and whether they may: the local socket may do everything, an API key what its role may. Pure. */
import { API_ROLES, type ApiRole } from '../../protocol/api.ts';
import { ThalwegError } from '../../protocol/error.ts';
import type { Actor, KeyRecord } from '../store/store.ts';

/** What a listener gives to those who come without a key. */
export type ApiListener =
  /** The local socket: its file mode says who may connect. */
  | { readonly kind: 'socket' }
  /** `keylessReading`: this host's own processes may look; never set on an address that others reach. */
  | { readonly kind: 'tcp'; readonly keylessReading: boolean };

export type Caller =
  | { readonly kind: 'socket' }
  | { readonly kind: 'key'; readonly key: Pick<KeyRecord, 'id' | 'name' | 'role'> }
  /** Without a key. `local`: a process of this host, as far as can be told. */
  | { readonly kind: 'nobody'; readonly local: boolean };

/** What an operation wants of its caller. */
export interface ApiNeed {
  readonly role: ApiRole;
  /** Who may ask without a key: everybody, this host's processes, or nobody. */
  readonly keyless: 'everybody' | 'local' | 'nobody';
}

export interface RequestHeaders {
  readonly authorization?: string | undefined;
  readonly host?: string | undefined;
  readonly [name: string]: string | string[] | undefined;
}

/** What a proxy adds: then the request is somebody else's, though it comes from this host. */
const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

/** Throws unauthenticated for a key that is not taken; never falls back to the rights of nobody then. */
export function identifyCaller(
  listener: ApiListener,
  headers: RequestHeaders,
  authenticate: (key: string) => KeyRecord,
): Caller {
  if (listener.kind === 'socket') return { kind: 'socket' };
  const { authorization } = headers;
  if (authorization === undefined) {
    const local = listener.keylessReading && FORWARDED.every((name) => headers[name] === undefined);
    if (local) refuseForeignHost(headers.host);
    return { kind: 'nobody', local };
  }
  const key = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (key !== undefined) return { kind: 'key', key: authenticate(key) };
  throw new ThalwegError('unauthenticated', 'the Authorization header is not `Bearer` and an API key', {
    fields: { reason: 'malformed_key' },
    nextStep: 'send `Authorization: Bearer twk1...`',
  });
}

/** Throws unauthenticated without a key, unauthorized with one whose role is too small. */
export function permit(caller: Caller, need: ApiNeed): void {
  if (caller.kind === 'socket') return;
  if (caller.kind === 'key') {
    const { id, name, role } = caller.key;
    if (API_ROLES.indexOf(role) >= API_ROLES.indexOf(need.role)) return;
    throw new ThalwegError('unauthorized', `this needs the role ${need.role}; API key ${id} (${name}) has ${role}`, {
      fields: { reason: 'role', keyId: id, role, needed: need.role },
      nextStep: `use a key made with \`thalweg key create --role ${need.role}\``,
    });
  }
  if (need.keyless === 'everybody' || (need.keyless === 'local' && caller.local)) return;
  throw new ThalwegError('unauthenticated', `this needs an API key with the role ${need.role}`, {
    fields: { reason: 'no_key', needed: need.role },
    nextStep:
      "pass one (THALWEG_API_KEY, --api-key-file, or `Authorization: Bearer`), or ask on the core's host with --core unix:/run/thalweg/core.sock (its apiSocket)",
  });
}

/** As the audit writes it. */
export function actorOf(caller: Caller): Actor {
  if (caller.kind === 'key') return `key:${caller.key.name}:${caller.key.id}`;
  return caller.kind;
}

/**
 * A web page may have a browser on this host ask for a name that resolves to a loopback address (DNS rebinding); then
 * the Host header holds that name. Literal addresses and localhost are all that a legitimate caller without a key uses.
 */
function refuseForeignHost(header: string | undefined): void {
  const host = (header ?? '').replace(/:\d+$/, '');
  if (host === 'localhost' || /^\d+\.\d+\.\d+\.\d+$/.test(host) || /^\[[0-9a-f:.]+\]$/i.test(host)) return;
  throw new ThalwegError('unauthorized', 'the Host header is not an address', {
    fields: { reason: 'foreign_host' },
    nextStep: 'ask by address, for example http://127.0.0.1:8471, or with an API key',
  });
}
