/** Hands the terminal over to the program that set-up was for, passes signals on, and ends as it ends. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** @param {string} program @param {string[]} args @returns {Promise<number>} exit code, 128 + number for a signal */
export function handOver(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    /** @param {NodeJS.Signals} signal */
    const passOn = (signal) => {
      // Ctrl-C at a terminal reaches the child by itself: a second SIGINT would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
    for (const signal of signals) process.on(signal, passOn);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, passOn);
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']);
    });
  });
}
