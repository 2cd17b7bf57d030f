/** What set-up says, and how it stops. Everything goes to stderr, so that stdout belongs to what it hands over to. */

/** @param {string} text one or more lines */
export function say(text) {
  for (const line of text.split('\n')) process.stderr.write(`set-up: ${line}\n`);
}

/** Stops set-up: the message is for the person at the keyboard, the code for the program that called. */
export class SetupError extends Error {
  /** @param {number} exitCode @param {string} message */
  constructor(exitCode, message) {
    super(message);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}
