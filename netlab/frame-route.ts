/**
 * Where an Ethernet frame goes on the wire, from its first bytes alone:
 *
 *   0      6      12
 *   | dst  | src  | EtherType ...     dst 02:54:57:00:nn:nn is host n; a set group bit (first byte, 0x01) is everybody
 */

/** Destination of a frame that goes to every other host. */
export const EVERYBODY = 0;
/** Shortest Ethernet header. */
export const MIN_FRAME_BYTES = 14;

/** The host's number, EVERYBODY, or -1 when no host has that address or the frame is too short. */
export function destinationOf(frame: Uint8Array, hostCount: number): number {
  if (frame.length < MIN_FRAME_BYTES) return -1;
  const first = frame[0] ?? 0;
  if ((first & 1) === 1) return EVERYBODY;
  if (first !== 0x02 || frame[1] !== 0x54 || frame[2] !== 0x57 || frame[3] !== 0) return -1;
  const number = ((frame[4] ?? 0) << 8) | (frame[5] ?? 0);
  return number >= 1 && number <= hostCount ? number : -1;
}
