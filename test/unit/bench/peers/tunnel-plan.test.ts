import { describe, expect, it } from 'vitest';
import { planTunnels, wireGuardConfig } from '../../../../bench/peers/tunnel-plan.ts';

describe('the tunnels of the peers', () => {
  it('are one per pair, with one port and the two addresses of a /31', () => {
    const hosts = planTunnels(['a', 'b', 'r', 's']);
    expect(hosts.map(({ address }) => address)).toEqual(['100.64.0.1', '100.64.0.2', '100.64.0.3', '100.64.0.4']);
    expect(hosts[0]?.tunnels.map((tunnel) => tunnel.interface)).toEqual(['w-b', 'w-r', 'w-s']);
    const ends = hosts.flatMap(({ name, tunnels }) => tunnels.map((tunnel) => ({ name, ...tunnel })));
    expect(new Set(ends.map(({ port }) => port)).size).toBe(6);
    expect(new Set(ends.map(({ linkAddress }) => linkAddress)).size).toBe(12);
    for (const end of ends) {
      const other = ends.find(({ name, peer }) => name === end.peer && peer === end.name);
      expect(other?.port).toBe(end.port);
      const [low, high] = [end, other]
        .map((one) => Number(one?.linkAddress.split('/')[0]?.split('.')[3]))
        .toSorted((x, y) => x - y);
      expect((low ?? 1) % 2).toBe(0);
      expect(high).toBe((low ?? 0) + 1);
    }
  });

  it('have addresses of their own also where there are more than one octet holds', () => {
    const ends = planTunnels(Array.from({ length: 32 }, (_, i) => `h${i}`)).flatMap(({ tunnels }) => tunnels);
    const addresses = ends.map(({ linkAddress }) => linkAddress);
    expect(new Set(addresses).size).toBe(32 * 31);
    for (const address of addresses) expect(address).toMatch(/^198\.19\.[0-3]\.\d{1,3}\/31$/);
  });

  it('are refused for one host, for too many, and for a name that no interface can bear', () => {
    expect(() => planTunnels(['a'])).toThrow('1 hosts');
    expect(() => planTunnels(Array.from({ length: 33 }, (_, i) => `${i}`))).toThrow('33 hosts');
    expect(() => planTunnels(['a', 'aws-ap-northeast-3'])).toThrow('longer than 13');
  });

  it('let their only peer send anything', () => {
    const tunnel = { peer: 'b', interface: 'w-b', port: 52_000, linkAddress: '198.19.0.0/31' };
    expect(wireGuardConfig(tunnel, 'SECRET', 'OPEN', '198.18.0.2').split('\n')).toEqual([
      '[Interface]',
      'PrivateKey = SECRET',
      'ListenPort = 52000',
      '[Peer]',
      'PublicKey = OPEN',
      'Endpoint = 198.18.0.2:52000',
      'AllowedIPs = 0.0.0.0/0, ::/0',
      '',
    ]);
  });
});
