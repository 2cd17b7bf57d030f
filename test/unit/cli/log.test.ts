import { expect, test } from 'vitest';
import { createLogger, withoutSecrets } from '../../../cli/log.ts';

function capture(level: 'debug' | 'info') {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('agent', level, { write: (line) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

test('JSON lines with time, level, program, message and fields', () => {
  const { log, lines } = capture('info');
  log.debug('hidden');
  log.warn('link down', { peer: 'berlin', rttUs: null });
  expect(lines).toEqual([
    {
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      program: 'agent',
      msg: 'link down',
      peer: 'berlin',
      rttUs: null,
    },
  ]);
});

test('secrets are cut out by name and by form; public halves stay', () => {
  const token = `tw1.${'QUJD'.repeat(20)}.0a1b2c`;
  const fields = {
    privateKey: 'x',
    tokenSecret: 'x',
    token: 'x',
    key: 'x',
    publicKey: 'pub',
    tokenId: 'abc',
    tokens: 3,
    detail: `refused ${token} at once`,
    text: '-----BEGIN PRIVATE KEY-----\nMIG\n',
  };
  expect(withoutSecrets(fields)).toEqual({
    privateKey: '[redacted]',
    tokenSecret: '[redacted]',
    token: '[redacted]',
    key: '[redacted]',
    publicKey: 'pub',
    tokenId: 'abc',
    tokens: 3,
    detail: 'refused [redacted] at once',
    text: '[redacted]',
  });
});
