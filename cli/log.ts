/** The log port on pino: JSON lines on stderr, times in UTC, secrets cut out whatever a caller passes. */
import { pino } from 'pino';
import type { LogFields, Logger } from '../protocol/log.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where lines go: a file descriptor (2: stderr), or a stream of a test. */
export type LogTarget = number | { write(line: string): void };

/** Makes the logger of one program. `program` stands in every line, so that lines of several can be told apart. */
export function createLogger(program: string, level: LogLevel, target: LogTarget = 2): Logger {
  const options = {
    level,
    base: { program },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Synchronous: the last lines before an exit are the ones that are needed.
  const out = typeof target === 'number' ? pino.destination({ fd: target, sync: true }) : target;
  const log = pino(options, out);
  return {
    debug: (message, fields) => log.debug(withoutSecrets(fields), message),
    info: (message, fields) => log.info(withoutSecrets(fields), message),
    warn: (message, fields) => log.warn(withoutSecrets(fields), message),
    error: (message, fields) => log.error(withoutSecrets(fields), message),
  };
}

/** Field names that may hold a secret. Public halves (publicKey, tokenId) are no secrets. */
const SECRET_NAME = /secret|private|password|psk|^token$|^key$/i;
/** Values that are secrets under any name: join tokens and private keys in PEM. */
const SECRET_VALUE = /tw1\.[A-Za-z0-9_-]{20,}(\.[0-9a-f]{1,6})?|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*/g;

/** Pure: the same fields with secrets replaced by `[redacted]`. */
export function withoutSecrets(fields: LogFields = {}): LogFields {
  const clean: Record<string, LogFields[string]> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (SECRET_NAME.test(name) && typeof value === 'string') clean[name] = '[redacted]';
    else clean[name] = typeof value === 'string' ? value.replace(SECRET_VALUE, '[redacted]') : value;
  }
  return clean;
}
