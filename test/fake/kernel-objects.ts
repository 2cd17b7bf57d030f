/** What the fake kernel holds, and how it says no. */

export interface Link {
  kind: string | null;
  mtu: number;
  queue: number;
  up: boolean;
  port: number;
}

export interface NextHop {
  protocol: number;
  family: 4 | 6 | null;
  dev: string | null;
  dst: string | null;
  members: { id: number; weight: number }[] | null;
  resilient: boolean;
}

export interface Route {
  family: 4 | 6;
  table: number;
  prefix: string;
  type: number;
  nhid: number | null;
  dev: string | null;
  src: string | null;
  mtu: number | null;
  metric: number;
  protocol: number;
}

export interface Rule {
  family: 4 | 6;
  preference: number;
  iif: string | null;
  table: number;
  protocol: number;
}

export interface Peer {
  endpoint: string | null;
  allowed: string[];
  keepalive: number | null;
}

export interface Device {
  publicKey: string;
  port: number;
  readonly peers: Map<string, Peer>;
}

/** What a command says on stderr when the kernel refuses it. */
export class Refused extends Error {}

export const RTN: Readonly<Record<string, number>> = { blackhole: 6, unreachable: 7 };

/** Words as option and value. */
export function pairs(words: readonly string[], known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    const [name = '', value] = [words[i], words[i + 1]];
    if (!known.includes(name) || value === undefined)
      throw new Error(`the fake kernel does not know: ${words.join(' ')}`);
    found.set(name, value);
  }
  return found;
}
