/** The text form of API keys. */
import { describe, expect, it } from 'vitest';
import { formatApiKey, parseApiKey } from '../../../protocol/api-key.ts';

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
const KEY = formatApiKey({ id: 'abcdefghij27', secret: SECRET });

describe('an API key', () => {
  it('is read as it was written', () => {
    expect(KEY).toBe('twk1.abcdefghij27.AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK-2vcTL0tk');
    expect(parseApiKey(KEY)).toEqual({ ok: true, value: { id: 'abcdefghij27', secret: SECRET } });
  });

  it.each([
    ['cut short', KEY.slice(0, -1)],
    ['too long', `${KEY}A`],
    ['with other bits after the last byte', `${KEY.slice(0, -1)}l`],
    ['with a line break', `${KEY}\n`],
    ['with padding', `${KEY}=`],
    ['with another prefix', KEY.replace('twk1', 'tw1')],
    ['with an id in capitals', KEY.replace('abcdefghij27', 'ABCDEFGHIJ27')],
    ['empty', ''],
  ])('is refused %s, without repeating it', (_, text) => {
    const parsed = parseApiKey(text);
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('AAcOFRwj');
  });
});
