/**
 * Names and addresses of a lab's hosts, all following from the lab's name and the host's number.
 *
 *   namespace  tw-<lab>-<host>          switch and wire: tw-<lab>-net
 *   address    198.18.<n / 256>.<n % 256>/16   (RFC 2544 benchmark range; n from 1)
 *   MAC        02:54:57:00:<n / 256>:<n % 256> (locally administered)
 */

export const NAMESPACE_PREFIX = 'tw-';
/** Name of the namespace that holds the switch; not a host. */
export const NET_HOST = 'net';
export const UNDERLAY_PREFIX_BITS = 16;
/** Largest host number: 198.18.0.0/16 less its last address. */
export const MAX_HOST_NUMBER = 65_534;
const LAB_NAME = /^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/;

export function isLabName(text: string): boolean {
  return LAB_NAME.test(text);
}

export function namespaceName(lab: string, host: string): string {
  return `${NAMESPACE_PREFIX}${lab}-${host}`;
}

/** `number` from 1. */
export function underlayAddressOf(number: number): string {
  return `198.18.${number >> 8}.${number & 255}`;
}

export function macAddressOf(number: number): string {
  return `02:54:57:00:${hex(number >> 8)}:${hex(number & 255)}`;
}

/** The port of the switch, and the TAP before it is moved, that belongs to a host. */
export function portNameOf(number: number): string {
  return `h${number}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
