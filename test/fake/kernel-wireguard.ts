/** `wg show` and `wg set` of the fake kernel, in the words of wireguard-tools. */
import { publicKeyOfFile } from '../../overlay/wireguard/key-file.ts';
import { type Device, type Peer, Refused } from './kernel-objects.ts';

/** Runs `wg` with these arguments on `device`, which it changes. */
export async function runWg(device: Device | null, args: string[]): Promise<string> {
  const [verb, , ...rest] = args;
  if (device === null) throw new Refused('Unable to access interface: No such device');
  if (verb === 'show') {
    const lines = [`(private)\t${device.publicKey}\t${device.port}\toff`];
    for (const [key, peer] of device.peers) {
      const allowed = peer.allowed.length === 0 ? '(none)' : peer.allowed.join(',');
      lines.push(`${key}\t(none)\t${peer.endpoint ?? '(none)'}\t${allowed}\t0\t0\t0\t${peer.keepalive ?? 'off'}`);
    }
    return `${lines.join('\n')}\n`;
  }
  let peer: Peer | undefined;
  let peerKey = '';
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i];
    if (word === 'remove') {
      device.peers.delete(peerKey);
      continue;
    }
    const value = rest[++i] ?? '';
    if (word === 'private-key') device.publicKey = await publicKeyOfFile(value);
    else if (word === 'listen-port') device.port = Number(value);
    else if (word === 'peer') {
      peerKey = value;
      peer = device.peers.get(value) ?? { endpoint: null, allowed: [], keepalive: null };
      device.peers.set(value, peer);
    } else if (peer === undefined) throw new Refused(`Invalid argument: ${word}`);
    else if (word === 'endpoint') peer.endpoint = value;
    else if (word === 'persistent-keepalive') peer.keepalive = Number(value);
    else if (word === 'allowed-ips') {
      const wanted = value === '' ? [] : value.split(',');
      // Exclusive: the last peer to claim a prefix takes it.
      for (const other of device.peers.values()) other.allowed = other.allowed.filter((ip) => !wanted.includes(ip));
      peer.allowed = wanted;
    } else throw new Error(`the fake kernel does not know: wg set ${word}`);
  }
  return '';
}
