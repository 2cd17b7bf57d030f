/** Devices, their addresses and settings. A device that goes takes its addresses with it. */
import { type Device, type Link, Refused } from './kernel-objects.ts';

export const DEFAULT_RECEIVE_BUFFER_BYTES = 212_992;

export abstract class KernelLinks {
  readonly links = new Map<string, Link>();
  readonly addresses: { dev: string; text: string }[] = [];
  readonly sysctls = new Map<string, string>();
  /** Device types that the kernel does not know. */
  readonly unknownTypes = new Set<string>(['wireguard']);
  device: Device | null = null;
  /** Of the UDP sockets of wireguard-go. */
  receiveBufferBytes = DEFAULT_RECEIVE_BUFFER_BYTES;
  /** Whether new devices get `force_forwarding` (kernel 6.17 and newer). */
  forceForwarding = true;

  /** What a device takes with it when it goes down. */
  protected abstract flushDevice(name: string): void;

  protected addLink(name: string, kind: string, port: number): void {
    if (this.links.has(name)) throw new Refused('RTNETLINK answers: File exists');
    this.links.set(name, { kind, mtu: 1500, queue: kind === 'tun' ? 500 : 1000, up: false, port });
    for (const key of ['rp_filter', 'send_redirects', 'accept_redirects', 'forwarding']) {
      this.sysctls.set(`net/ipv4/conf/${name}/${key}`, key.endsWith('redirects') ? '1' : '0');
    }
    for (const key of [
      'accept_redirects',
      'accept_ra',
      'disable_ipv6',
      ...(this.forceForwarding ? ['force_forwarding'] : []),
    ]) {
      this.sysctls.set(`net/ipv6/conf/${name}/${key}`, key.startsWith('accept') ? '1' : '0');
    }
  }

  protected link(key: string, words: string[]): void {
    const [name = '', ...rest] = words;
    const link = this.links.get(name);
    if (key === 'link add') {
      const [, kind = ''] = rest;
      if (this.unknownTypes.has(kind)) throw new Refused('Error: Unknown device type.');
      const options = rest.slice(2).join(' ');
      const port = /^(?:dstport (\d+) external gpe)?$/.exec(options);
      if (port === null) throw new Error(`the fake kernel does not know: link add ${words.join(' ')}`);
      this.addLink(name, kind, Number(port[1] ?? 0));
      if (kind === 'wireguard') this.device = { publicKey: '(none)', port: 0, peers: new Map() };
      return;
    }
    if (link === undefined) throw new Refused(`Cannot find device "${name}"`);
    if (key === 'link del') {
      this.links.delete(name);
      for (const sysctl of [...this.sysctls.keys()]) if (sysctl.includes(`/conf/${name}/`)) this.sysctls.delete(sysctl);
      this.keepAddresses((address) => address.dev !== name);
      this.flushDevice(name);
      if (name === 'tw0') this.device = null;
      return;
    }
    for (let i = 0; i < rest.length; i++) {
      if (rest[i] === 'up') {
        if (name === 'tw0' && !link.up) this.receiveBufferBytes = DEFAULT_RECEIVE_BUFFER_BYTES;
        link.up = true;
      } else if (rest[i] === 'down') {
        link.up = false;
        this.flushDevice(name);
      } else if (rest[i] === 'mtu') link.mtu = Number(rest[++i]);
      else if (rest[i] === 'txqueuelen') link.queue = Number(rest[++i]);
      else if (rest[i] === 'addrgenmode' && rest[i + 1] === 'none') i++;
      else throw new Error(`the fake kernel does not know: link set ${words.join(' ')}`);
    }
  }

  protected keepAddresses(keep: (address: { dev: string; text: string }) => boolean): void {
    this.addresses.splice(0, this.addresses.length, ...this.addresses.filter(keep));
  }

  protected address(key: string, words: string[]): void {
    const [text = '', , dev = ''] = words;
    const held = this.addresses.some((address) => address.text === text && address.dev === dev);
    if (!this.links.has(dev)) throw new Refused(`Cannot find device "${dev}"`);
    if (key === 'address add') {
      if (held) throw new Refused('RTNETLINK answers: File exists');
      this.addresses.push({ dev, text });
    } else {
      if (!held) throw new Refused('RTNETLINK answers: Cannot assign requested address');
      this.keepAddresses((address) => address.text !== text || address.dev !== dev);
    }
  }
}
