/** Who may ask the API for what: every listener, every role, every need. */
import { describe, expect, it } from 'vitest';
import type { ApiRole } from '../../../protocol/api.ts';
import {
  type ApiListener,
  actorOf,
  type Caller,
  identifyCaller,
  permit,
  type RequestHeaders,
} from '../../../steering/api/api-access.ts';
import { ADMIN, ANYBODY, LOOK, OPERATOR, VIEWER } from '../../../steering/api/operation.ts';
import { aKey } from '../../contract/store-suite.ts';

const NEEDS = { ANYBODY, LOOK, VIEWER, OPERATOR, ADMIN };
const SOCKET: ApiListener = { kind: 'socket' };
const LOOPBACK: ApiListener = { kind: 'tcp', keylessReading: true };
const REMOTE: ApiListener = { kind: 'tcp', keylessReading: false };

function withRole(role: ApiRole): Caller {
  return { kind: 'key', key: { id: 'abcdefghijkl', name: 'ci', role } };
}

/** Which needs a caller meets, or why not. */
function rights(caller: Caller): Record<string, string> {
  return Object.fromEntries(
    Object.entries(NEEDS).map(([name, need]) => {
      try {
        permit(caller, need);
        return [name, 'yes'];
      } catch (cause) {
        return [name, (cause as { code: string }).code];
      }
    }),
  );
}

const [YES, NO_KEY, ROLE] = ['yes', 'unauthenticated', 'unauthorized'];
const all = (...answers: (string | undefined)[]) =>
  Object.fromEntries(Object.keys(NEEDS).map((name, i) => [name, answers[i]]));

describe('permit', () => {
  it.each<[string, Caller, Record<string, string | undefined>]>([
    ['the local socket everything', { kind: 'socket' }, all(YES, YES, YES, YES, YES)],
    ['an admin everything', withRole('admin'), all(YES, YES, YES, YES, YES)],
    ['an operator all but what only admins may', withRole('operator'), all(YES, YES, YES, YES, ROLE)],
    ['a viewer to look', withRole('viewer'), all(YES, YES, YES, ROLE, ROLE)],
    ['nobody on this host to look at the mesh', { kind: 'nobody', local: true }, all(YES, YES, NO_KEY, NO_KEY, NO_KEY)],
    ['nobody elsewhere health', { kind: 'nobody', local: false }, all(YES, NO_KEY, NO_KEY, NO_KEY, NO_KEY)],
  ])('gives %s', (_, caller, expected) => {
    expect(rights(caller)).toEqual(expected);
  });

  it('names the role that is needed', () => {
    expect(() => permit(withRole('viewer'), ADMIN)).toThrow(
      expect.objectContaining({
        message: 'this needs the role admin; API key abcdefghijkl (ci) has viewer',
        nextStep: 'use a key made with `thalweg key create --role admin`',
      }),
    );
  });
});

describe('identifyCaller', () => {
  const key = aKey('abcdefghijkl', { role: 'operator' });
  const knows = () => key;
  const refuses = () => {
    throw new Error('this key is not taken');
  };
  const host = '127.0.0.1:8471';

  it('does not ask for a key on the local socket', () => {
    expect(identifyCaller(SOCKET, { authorization: 'Bearer x' }, refuses)).toEqual({ kind: 'socket' });
  });

  it('takes a key from anywhere, by any name of the host', () => {
    for (const listener of [LOOPBACK, REMOTE]) {
      const headers = { authorization: 'bearer the-key', host: 'core.example', 'x-forwarded-for': '192.0.2.1' };
      expect(identifyCaller(listener, headers, (text) => ({ ...key, name: text }))).toEqual({
        kind: 'key',
        key: { ...key, name: 'the-key' },
      });
    }
  });

  it('never falls back to the rights of nobody when a key is not taken', () => {
    expect(() => identifyCaller(LOOPBACK, { authorization: 'Bearer x', host }, refuses)).toThrow('not taken');
    for (const authorization of ['Basic eDp5', 'Bearer', 'Bearer ', 'Bearer a b', '']) {
      expect(() => identifyCaller(LOOPBACK, { authorization, host }, knows), authorization).toThrow(
        expect.objectContaining({ code: 'unauthenticated', fields: { reason: 'malformed_key' } }),
      );
    }
  });

  it.each<[string, RequestHeaders, boolean]>([
    ['by address', { host }, true],
    ['by localhost', { host: 'localhost:8471' }, true],
    ['by IPv6 address', { host: '[::1]:8471' }, true],
    ...['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'].map(
      (name): [string, RequestHeaders, boolean] => [`through a proxy (${name})`, { host, [name]: 'x' }, false],
    ),
  ])('without a key on loopback %s', (_, headers, local) => {
    expect(identifyCaller(LOOPBACK, headers, knows)).toEqual({ kind: 'nobody', local });
    expect(identifyCaller(REMOTE, headers, knows)).toEqual({ kind: 'nobody', local: false });
  });

  it('refuses a web page that made its name resolve to this host', () => {
    for (const name of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', undefined]) {
      expect(() => identifyCaller(LOOPBACK, { host: name }, knows), name).toThrow(
        expect.objectContaining({ code: 'unauthorized' }),
      );
    }
  });
});

it('the audit says who it was', () => {
  expect(actorOf({ kind: 'socket' })).toBe('socket');
  expect(actorOf(withRole('admin'))).toBe('key:ci:abcdefghijkl');
});
