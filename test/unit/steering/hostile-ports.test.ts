/** What anybody who reaches the core's ports can do to it: nothing that others would notice. */

import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HandshakeQueue } from '../../../steering/session/handshake-queue.ts';
import { PendingHandshakes } from '../../../steering/session/pending-handshakes.ts';
import { eventually, TestCore } from '../../fake/test-core.ts';

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;

  constructor(remoteAddress: string, remotePort: number) {
    super();
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
  }

  destroy() {
    this.destroyed = true;
    this.emit('close');
  }
}

describe('places for handshakes', () => {
  let nowMs = 0;
  const places = (most: number) => new PendingHandshakes({ monoMs: () => nowMs }, { most, fairMs: 1000 });
  const fill = (pending: PendingHandshakes, addresses: readonly string[]) =>
    addresses.map((address, i) => {
      const socket = new FakeSocket(address, i);
      expect(pending.begin(socket)).toBe(true);
      return socket;
    });

  it('are taken from an address that holds most of them, oldest first, never by the same address', () => {
    const pending = places(10);
    const crowd = fill(pending, Array(10).fill('192.0.2.1'));
    const more = new FakeSocket('192.0.2.1', 99);
    expect([pending.begin(more), more.destroyed]).toEqual([false, true]);
    expect(pending.begin(new FakeSocket('192.0.2.2', 1))).toBe(true);
    expect(crowd.map(({ destroyed }) => destroyed)).toEqual([true, ...Array(9).fill(false)]);
    expect(pending.size).toBe(10);
  });

  it('are found for somebody else also where a crowd of addresses shares them, each with less than half', () => {
    const pending = places(6);
    const crowd = fill(pending, ['a', 'a', 'b', 'b', 'c', 'c']);
    expect(pending.begin(new FakeSocket('d', 1))).toBe(true);
    expect(crowd.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  });

  it('are lost to anybody after their time, where nobody holds more than another', () => {
    const pending = places(2);
    const [first, second] = fill(pending, ['a', 'b']);
    expect(pending.begin(new FakeSocket('c', 1))).toBe(false);
    nowMs += 1000;
    expect(pending.begin(new FakeSocket('c', 2))).toBe(true);
    expect([first?.destroyed, second?.destroyed]).toEqual([true, false]);
  });

  it('count a /64 of IPv6 as one address, and an IPv4 address as itself however it is written', () => {
    const pending = places(4);
    const crowd = fill(pending, ['2001:db8:0:1::1', '2001:db8:0:1::2', '2001:db8:0:1:f::3', '2001:db8:0:2::1']);
    expect(pending.begin(new FakeSocket('2001:db8:0:1::9', 1))).toBe(false);
    expect(pending.begin(new FakeSocket('::ffff:192.0.2.1', 1))).toBe(true);
    expect(crowd.map(({ destroyed }) => destroyed)).toEqual([true, false, false, false]);
    pending.over('::ffff:192.0.2.1', 1);
    expect(pending.size).toBe(3);
  });

  it('are free again when a handshake is over or its connection ends', () => {
    const pending = places(2);
    const [, second] = fill(pending, ['a', 'a']);
    pending.over('a', 0);
    expect(pending.size).toBe(1);
    second?.destroy();
    second?.destroy();
    expect(pending.size).toBe(0);
  });
});

describe('connections that wait for TLS', () => {
  const queue = (most: number, mostWaiting: number) => {
    const started: FakeSocket[] = [];
    const start = (socket: unknown) => void started.push(socket as FakeSocket);
    return { started, queue: new HandshakeQueue({ monoMs: () => 0, start }, { most, mostWaiting, fairMs: 1000 }) };
  };
  const socket = (address: string, port: number) => new FakeSocket(address, port);

  it('begin when another is over or gone, and are closed beyond the bound', () => {
    const { queue: handshakes, started } = queue(2, 2);
    const sockets = [1, 2, 3, 4, 5].map((port) => socket('192.0.2.1', port));
    expect(sockets.map((one) => handshakes.connected(one))).toEqual([true, true, true, true, false]);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, false, false, false, true]);
    expect(started).toEqual(sockets.slice(0, 2));
    handshakes.over('192.0.2.1', 1);
    expect(started).toEqual(sockets.slice(0, 3));
    sockets[1]?.destroy();
    expect(started).toEqual(sockets.slice(0, 4));
  });

  it('leave those alone that are in the middle of it, until their time is over', () => {
    let nowMs = 0;
    const start = () => {};
    const handshakes = new HandshakeQueue({ monoMs: () => nowMs, start }, { most: 2, mostWaiting: 9, fairMs: 10_000 });
    const running = [1, 2].map((port) => socket('192.0.2.1', port));
    for (const one of running) handshakes.connected(one);
    nowMs = 9_999;
    handshakes.connected(socket('192.0.2.1', 3));
    expect(running.map(({ destroyed }) => destroyed)).toEqual([false, false]);
    nowMs = 10_000;
    handshakes.connected(socket('192.0.2.1', 4));
    expect(running.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  it('that went meanwhile are passed over', () => {
    const { queue: handshakes, started } = queue(1, 3);
    const sockets = [1, 2, 3].map((port) => socket('192.0.2.1', port));
    for (const one of sockets) handshakes.connected(one);
    sockets[1]?.destroy();
    handshakes.over('192.0.2.1', 1);
    expect(started.map(({ remotePort }) => remotePort)).toEqual([1, 3]);
  });

  it('of several addresses take turns, however many one of them has', () => {
    const { queue: handshakes, started } = queue(1, 10);
    const addresses = ['a', 'a', 'a', 'a', 'b', 'c'];
    addresses.forEach((address, port) => void handshakes.connected(socket(address, port)));
    for (let i = 1; i < addresses.length; i++) {
      const last = started.at(-1);
      handshakes.over(last?.remoteAddress, last?.remotePort);
    }
    expect(started.map(({ remoteAddress }) => remoteAddress).join('')).toBe('aabcaa');
  });

  it('are all closed at the end', () => {
    const { queue: handshakes } = queue(1, 3);
    const sockets = [1, 2, 3].map((port) => socket('192.0.2.1', port));
    for (const one of sockets) handshakes.connected(one);
    handshakes.clear();
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
  });
});

describe('a core', () => {
  const core = new TestCore();
  const sockets: Socket[] = [];
  beforeAll(async () => core.start());
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await core.stop();
  });

  const open = (localAddress: string, port = core.port) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    sockets.push(socket);
    return socket;
  };
  it('lets others join while one address opens 2,000 connections that never speak', async () => {
    for (let i = 0; i < 2000; i++) open('127.0.0.2');
    await eventually('the bound is reached', () => sockets.filter((socket) => socket.closed).length > 500);
    const agent = await core.agent();
    (await agent.open()).close();
    // they are still there: nobody waited for them to time out
    expect(sockets.filter((socket) => !socket.closed).length).toBeGreaterThan(200);
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('closes a request whose headers come by drops, and answers others meanwhile', async () => {
    const options = { port: core.port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' as const };
    const slow = await new Promise<TLSSocket>((resolve) => {
      const socket: TLSSocket = connectTls(options, () => resolve(socket));
      socket.on('error', () => {});
    });
    const startedMs = performance.now();
    slow.write('POST /v1/join HTTP/1.1\r\nhost: x\r\n');
    const drops = setInterval(() => slow.write('x-a: b\r\n'), 200);
    await core.agent();
    await new Promise((resolve) => slow.once('close', resolve));
    clearInterval(drops);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });

  it('lets others in while addresses hold every place behind TLS and ask for nothing', async () => {
    const options = { port: core.port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: 'TLSv1.3' as const };
    const silent: TLSSocket[] = [];
    for (let i = 0; i < 600; i++) {
      const socket = connectTls({ ...options, localAddress: `127.0.0.${2 + (i % 3)}` } as typeof options);
      socket.on('error', () => {});
      silent.push(socket);
      if (i % 50 === 49) await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
    }
    await eventually('the bound is reached', () => silent.filter((socket) => socket.closed).length >= 80);
    (await (await core.agent()).open()).close();
    for (const socket of silent) socket.destroy();
  });

  it('takes no more of a body than a join may have, also from an address that has failed too often', async () => {
    const pour = async () => {
      const options = { port: core.port, host: '127.0.0.1', localAddress: '127.0.0.9', rejectUnauthorized: false };
      const socket = connectTls(options as { port: number });
      socket.on('error', () => {});
      socket.once('secureConnect', () => {
        socket.write('POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n');
        const more = () => {
          while (!socket.destroyed && socket.write(new Uint8Array(65_536)));
        };
        socket.on('drain', more);
        more();
      });
      await new Promise((resolve) => socket.once('close', resolve));
      return socket.bytesWritten;
    };
    // what the kernel's buffers hold is some megabytes; without a bound it is poured for as long as a request may take
    expect(await pour()).toBeLessThan(32 * 2 ** 20);
  });

  it('gives no place among those who join to one who sends a request by drops', async () => {
    await core.restart({ maxConcurrentJoins: 1 });
    const options = { port: core.port, host: '127.0.0.1', rejectUnauthorized: false };
    const slow = connectTls({ ...options, localAddress: '127.0.0.8' } as typeof options);
    slow.on('error', () => {});
    await new Promise((resolve) => slow.once('secureConnect', resolve));
    slow.write('POST /v1/join HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc');
    // an answer on the same connection's thread: the core has read the headers before
    await core.readApi.get('/healthz');
    (await (await core.agent()).open()).close();
    slow.destroy();
  });

  it('refuses TLS 1.2, and with it renegotiation, and goes on', async () => {
    const old = connectTls({ port: core.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    const refusal = await new Promise<string>((resolve) => {
      old.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      old.once('secureConnect', () => resolve('spoken'));
    });
    expect(refusal).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    (await (await core.agent()).open()).close();
  });

  it('lives through garbage on every port, and through frames of any content', async () => {
    const { ports } = core.running ?? {};
    for (const port of [ports?.agents ?? 0, ports?.api ?? 0]) {
      for (let i = 0; i < 50; i++) {
        const socket = open('127.0.0.1', port);
        socket.end(randomBytes(1 + Math.floor(Math.random() * 4096)));
      }
      for (const text of [
        'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n',
        `GET /${'a'.repeat(70_000)} HTTP/1.1\r\n\r\n`,
        '\0\0\0\r\n\r\n',
      ]) {
        open('127.0.0.1', port).write(text);
      }
    }
    const agent = await core.agent();
    for (let i = 0; i < 20; i++) {
      const session = await agent.connect();
      session.sendBytes(randomBytes(1 + Math.floor(Math.random() * 100_000)));
      expect((await session.ended()).refusal?.code).toMatch(/^(protocol_violation|out_of_order)$/);
    }
    const session = await agent.connect();
    session.sendBytes(new Uint8Array(300 * 1024));
    expect((await session.ended()).refusal?.code).toBe('frame_too_large');
    (await agent.open()).close();
    const health = await core.readApi.get<{ ok: boolean }>('/healthz');
    expect(health.ok).toBe(true);
  });
});
