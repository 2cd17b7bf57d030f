/**
 * Removes a lab whose owner died. Started by the lab as `node reaper-program.js <lab>`, in a session of its own. It
 * claims the lab's directory itself and writes `claimed` or `taken`; so from the first moment there is something to
 * remove, there is somebody to remove it. Then it waits on its standard input, whose other end only the owner holds:
 *
 *   line `done`          the lab is removed already, or is meant to stay: end
 *   end without `done`   the owner is gone: remove the lab, then end
 */
import { createInterface } from 'node:readline';
import { removeLab } from './lab-removal.ts';
import { claimLabDir } from './lab-state.ts';

const [name = ''] = process.argv.slice(2);
let done = false;
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});
process.on('SIGPIPE', () => {});
process.stdout.on('error', () => {}); // the owner died before it read the answer

if (!claimLabDir(name)) {
  process.stdout.write('taken\n');
} else {
  process.stdout.write('claimed\n');
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line !== 'done') return;
      done = true;
      process.stdin.destroy();
    })
    .on('close', () => {
      if (!done) removeLab(name).catch(() => process.exit(1));
    });
}
