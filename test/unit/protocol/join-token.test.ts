import { describe, expect, it } from 'vitest';
import { formatJoinToken, parseJoinToken } from '../../../protocol/join-token.ts';

const token = {
  addresses: ['198.18.0.1:8470', 'core.example.org:8470', '[2001:db8::1]:8470'],
  caFingerprint: 'ab'.repeat(32),
  id: 'abcdefgh2345',
  secret: Uint8Array.from({ length: 32 }, (_, i) => i),
};

/** A token with these fields and right check digits. */
function forged(fields: unknown): string {
  const good = formatJoinToken({ ...token, addresses: fields as string[] });
  return good;
}

describe('join token', () => {
  it('comes back as it went in, also with white space around it', () => {
    expect(parseJoinToken(` ${formatJoinToken(token)}\n`)).toEqual({ ok: true, value: token });
  });

  it('tells a truncated token from a wrong one, at every length', () => {
    const text = formatJoinToken(token);
    for (let length = 0; length < text.length; length++) {
      const parsed = parseJoinToken(text.slice(0, length));
      expect(parsed.ok).toBe(false);
    }
    expect(parseJoinToken(text.slice(0, -1))).toMatchObject({ reason: expect.stringContaining('incomplete') });
  });

  it('never repeats the token in its reason', () => {
    const text = formatJoinToken(token).slice(0, -3);
    const parsed = parseJoinToken(text);
    if (parsed.ok) throw new Error('a truncated token was taken');
    expect(parsed.reason).not.toContain(text.slice(10, 40));
  });

  it.each([
    ['no address', []],
    ['too many addresses', Array.from({ length: 17 }, () => 'a:1')],
    ['an address without a port', ['core.example.org']],
    ['an address with a path', ['core/x:1']],
    ['not a list', 'core:1'],
  ])('refuses %s', (_, addresses) => expect(parseJoinToken(forged(addresses)).ok).toBe(false));

  it('refuses a foreign string with a plain reason', () => {
    expect(parseJoinToken('tskey-auth-abc')).toEqual({ ok: false, reason: 'a join token starts with tw1.' });
  });
});
