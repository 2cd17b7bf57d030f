/**
 * The log port. Programs log state changes as JSON lines with a constant message and fields; packets are counted, not
 * logged. The adapter (pino) is made where a program starts. Never pass a key, a token or a whole message.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Drops everything: for tests and for one-shot commands. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
