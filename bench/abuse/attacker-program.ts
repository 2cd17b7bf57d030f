/**
 * One attack, in a process of its own: holds as many connections as it is told, and opens those anew that the core closes.
 * Arguments: the attack's name, its target as JSON, the pause in ms before a closed one is opened again. Writes its tally on
 * SIGTERM, and ends.
 */
import { ATTACKS, type AttackTally, type AttackTarget } from './attack.ts';

const [name = '', json = '{}', againText = '1000'] = process.argv.slice(2);
const target = JSON.parse(json) as AttackTarget;
const open = ATTACKS[name];
if (open === undefined) throw new RangeError(`no attack is named ${name}`);
const againMs = Number(againText);
/** Connections that are begun in one go: the kernel's queue of the port holds 511. */
const [BATCH, BATCH_MS] = [100, 20];

const tally: AttackTally = { opened: 0, closedByCore: 0, mostOpen: 0, sentBytes: 0 };
let live = 0;
let due = target.connections;

function openOne(): void {
  const address = `127.0.${1 + Math.floor((tally.opened % target.addresses) / 250)}.${2 + ((tally.opened % target.addresses) % 250)}`;
  tally.opened++;
  const socket = open?.(target, address, tally);
  if (socket === undefined) return;
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.once('connect', () => {
    live++;
    tally.mostOpen = Math.max(tally.mostOpen, live);
    socket.once('close', () => live--);
  });
  socket.once('close', () => {
    tally.closedByCore++;
    setTimeout(() => due++, againMs);
  });
}

setInterval(() => {
  for (let i = 0; i < BATCH && due > 0; i++, due--) openOne();
}, BATCH_MS);
process.once('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify(tally)}\n`, () => process.exit(0));
});
