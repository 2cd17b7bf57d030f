/**
 * The whole of it on real packets: the core and three agents as programs on plain kernel links.
 *
 *     a ── b
 *      \  /        every pair on one switch; a-b is cut where a test wants the way through r
 *       r
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Lab } from '../../netlab/lab.ts';
import { CORE_HOST } from '../../netlab/lab-spec.ts';
import { pause } from '../../netlab/pause.ts';
import type { LinkView, NodeView, PathExplanation, PathView } from '../../protocol/api.ts';
import { ApiClient } from '../../protocol/api-client.ts';
import { silentLogger } from '../../protocol/log.ts';
import { distDir, isRoot, specOf, tracesOf } from './fabric-lab.ts';

const HOSTS = ['a', 'r', 'b'];
const NAME = `mesh-${process.pid}`;

describe.skipIf(!isRoot)('a mesh of three hosts', () => {
  let lab: Lab;
  let api: ApiClient;

  beforeAll(async () => {
    lab = await Lab.up(specOf(NAME, HOSTS, {}), { log: silentLogger, distDir });
    await lab.startCore();
    api = new ApiClient(lab.apiTarget);
    for (const host of HOSTS) {
      await lab.join(host);
      await lab.startAgent(host);
    }
    await until('every pair is steered', 60_000, async () => {
      const paths = await api.get<PathView[]>('/v1/paths');
      return paths.length === 6 && paths.every((path) => path.installed && path.cost !== null);
    });
  }, 120_000);

  /** A test that failed half-way may have left the lab without one. */
  beforeEach(async () => {
    if (lab.programPid('core', CORE_HOST) !== undefined) return;
    await lab.startCore();
    await everybodyIsBack();
  }, 90_000);

  afterAll(async () => {
    await lab?.down();
    expect(tracesOf(NAME)).toEqual([]);
  }, 60_000);

  const node = (name: string) => api.get<NodeView>(`/v1/nodes/${name}`);

  /** Agents that were without a core for long ask again every half minute. */
  async function everybodyIsBack(): Promise<void> {
    await until('everybody is back', 60_000, async () => {
      const nodes = await api.get<NodeView[]>('/v1/nodes').catch(() => []);
      return nodes.length === 3 && nodes.every((n) => n.online && n.tableGeneration === n.wantedGeneration);
    });
  }

  /** What the core believes of a path, and both ends hold. */
  const pathIs = (from: string, to: string, path: string) => async () => {
    const now = await api.get<PathExplanation>(`/v1/paths/${from}/${to}`);
    return now.installed && now.path.join() === path;
  };

  async function reaches(from: string, address: string): Promise<boolean> {
    return (await lab.exec(from, ['ping', '-n', '-c', '1', '-W', '1', address])).exitCode === 0;
  }

  async function run(host: string, ...argv: string[]): Promise<string> {
    const result = await lab.exec(host, argv);
    expect(result.exitCode, `${argv.join(' ')}: ${result.stderr}`).toBe(0);
    return result.stdout;
  }

  it('carries IPv4 and IPv6 between all pairs, in packets of the full size', async () => {
    for (const from of HOSTS) {
      for (const to of HOSTS.filter((host) => host !== from)) {
        const { node4, node6 } = await node(to);
        await run(from, 'ping', '-n', '-c', '2', '-i', '0.2', '-M', 'do', '-s', '1356', node4);
        await run(from, 'ping', '-n', '-c', '2', '-i', '0.2', '-M', 'do', '-s', '1336', node6);
      }
    }
  });

  it('answers metrics that promtool has nothing to say about', async () => {
    const agent = await run('a', 'sh', '-c', `exec ${process.execPath} -e "${FETCH_METRICS}"`);
    expect(agent).toContain('thalweg_agent_');
    expect(await run('a', 'sh', '-c', `echo '${agent.replaceAll("'", '')}' | promtool check metrics 2>&1`)).toBe('');
  });

  it('goes round a cut link and explains it', async () => {
    await until('a reaches b directly', 60_000, pathIs('a', 'b', 'a,b'));
    await lab.setLink('a', 'b', { cut: true });
    await lab.setLink('b', 'a', { cut: true });
    await until('a reaches b through r', 20_000, pathIs('a', 'b', 'a,r,b'));
    expect(await reaches('a', (await node('b')).node4)).toBe(true);
    expect(await reaches('a', (await node('b')).node6)).toBe(true);
    const explanation = await api.get<PathExplanation>('/v1/paths/a/b');
    expect(explanation).toMatchObject({ reason: 'link_down', kind: 'detour' });
    expect(explanation.hops.map(({ from, to }) => `${from}-${to}`)).toEqual(['a-r', 'r-b']);
    const { rttUs = 0, lossUs = 0, jitterUs = 0, loadUs = 0, transitUs = 0, totalUs = 0 } = explanation.cost ?? {};
    expect(rttUs + lossUs + jitterUs + loadUs + transitUs).toBe(totalUs);
    expect(transitUs).toBeGreaterThan(0);
  });

  it('does not take for loss what an agent was not there to answer', async () => {
    await lab.stopAgent('r', 'SIGKILL');
    await pause(5000);
    await lab.startAgent('r');
    const losses: number[] = [];
    for (let i = 0; i < 20; i++) {
      await pause(500);
      for (const { from, to, lossOutPpm } of await api.get<LinkView[]>('/v1/links')) {
        if (to === 'r' && from !== 'r') losses.push(lossOutPpm ?? 0);
      }
    }
    // a probe of its own may get lost on a busy machine; the five seconds would read as a third and more
    expect(Math.max(...losses)).toBeLessThan(100_000);
  }, 60_000);

  it('puts back within 5 s what somebody deletes by hand, and leaves the rest alone', async () => {
    await run('a', 'ip', 'route', 'replace', '203.0.113.0/24', 'dev', 'eth0', 'proto', 'static');
    await run('a', 'nft', 'add', 'table', 'inet', 'theirs');
    const { node4 } = await node('b');
    const peer = (await node('r')).publicKey;
    // What keeps probes off the links for a moment makes agent and core move paths, so routes may be others afterwards.
    const damage: [string, string[], 'all' | 'but routes'][] = [
      ['a steered route', ['ip', 'route', 'del', `${node4}/32`, 'table', '8400'], 'all'],
      ['a rule', ['ip', 'rule', 'del', 'lookup', '8400'], 'but routes'],
      ['the filter', ['nft', 'delete', 'table', 'inet', 'thalweg'], 'all'],
      ['the detour device', ['ip', 'link', 'del', 'twx-a'], 'all'],
      ['a peer', ['wg', 'set', 'tw0', 'peer', peer, 'remove'], 'but routes'],
      ['the node address', ['ip', 'address', 'flush', 'dev', 'tw0'], 'but routes'],
      ['the tunnel', ['ip', 'link', 'del', 'tw0'], 'but routes'],
    ];
    for (const [what, argv, part] of damage) {
      // The planes of a move that just happened are still being made alike.
      let before = '';
      await until('the tables stand still', 30_000, async () => {
        const earlier = before;
        await pause(1500);
        before = await state();
        return before === earlier;
      });
      before = await state(part);
      await run('a', ...argv);
      expect(await state(part), what).not.toBe(before);
      await until(`${what} is back`, 5_000, async () => (await state(part)) === before);
      await until(`packets after ${what}`, 15_000, () => reaches('a', node4));
    }
    expect(await run('a', 'ip', 'route', 'show', '203.0.113.0/24')).toContain('proto static');
    expect(await run('a', 'nft', 'list', 'tables')).toContain('table inet theirs');
  }, 180_000);

  /** What of ours host a's kernel holds, without counters and what changes by itself. */
  async function state(part: 'all' | 'but routes' = 'all'): Promise<string> {
    // Destinations, not ways: a busy machine may move a path meanwhile. Either transit table serves.
    const routes = [
      '(ip route show table 8400; ip -6 route show table 8400) | cut -d " " -f 1 | sort',
      'for table in 8401 8402; do ip route show table $table; ip -6 route show table $table; done | cut -d " " -f 1 | sort -u',
    ];
    const script = [
      ...(part === 'all' ? routes : []),
      'ip -o link show | grep -o "tw[0x][a-z0-9-]*: <[^>]*> mtu [0-9]*" | sort',
      'ip -o address show | grep -o "tw[0x].* scope global" | sort',
      'ip rule; ip -6 rule',
      'wg show tw0 allowed-ips | sort',
      'nft list table inet thalweg | grep -v -e elements -e counter | grep .',
    ];
    return (await lab.exec('a', ['sh', '-c', script.map((line) => `${line}; `).join('')])).stdout;
  }

  it('forwards while the core is away, and after a reboot without it', async () => {
    const { node4 } = await node('b');
    // For a core that saw a without a link a moment ago there is no path to remember.
    await until('a and b are steered through r', 60_000, async () => {
      return (await pathIs('a', 'b', 'a,r,b')()) && (await pathIs('b', 'a', 'b,r,a')());
    });
    await lab.stopCore('SIGKILL');
    await lab.powerOff('r');
    await lab.powerOn('r');
    const onAt = performance.now();
    // A second of it is the agent's start; sessions are there at once, since r speaks first to those it remembers.
    await until('r forwards again from what it remembered', 20_000, () => reaches('a', node4)).catch(async (cause) => {
      throw new Error(`${cause}\n${await evidence()}`);
    });
    console.log(`packets pass through r ${Math.round(performance.now() - onAt)} ms after its agent was started`);
    await lab.startCore();
    await everybodyIsBack();
    expect(await reaches('a', node4)).toBe(true);
  }, 150_000);

  /** What a reader of a failed run needs: every host's ways, sessions and last words. */
  async function evidence(): Promise<string> {
    const parts = HOSTS.map(async (host) => {
      const script = `ip route show table 8400; wg show tw0 latest-handshakes; tail -n 15 ${lab.hostDir(host)}/agent.log | cut -c 30-170`;
      return `--- ${host}\n${(await lab.exec(host, ['sh', '-c', script])).stdout}`;
    });
    return (await Promise.all(parts)).join('\n');
  }

  it('takes a removed node off every peer, and its packets stop', async () => {
    const { node4, publicKey } = await node('r');
    await lab.setLink('a', 'b', { cut: false });
    await lab.setLink('b', 'a', { cut: false });
    await until('a reaches b directly', 60_000, pathIs('a', 'b', 'a,b'));
    await api.delete('/v1/nodes/r');
    await until('r is gone from a and b', 5_000, async () => {
      const keys = (await run('a', 'wg', 'show', 'tw0', 'peers')) + (await run('b', 'wg', 'show', 'tw0', 'peers'));
      return !keys.includes(publicKey);
    });
    expect(await reaches('a', node4)).toBe(false);
    expect(await reaches('r', (await node('a')).node4)).toBe(false);
    await until('r has taken its data plane down', 10_000, async () => {
      return !(await lab.exec('r', ['ip', '-o', 'link'])).stdout.includes('tw0');
    });
  }, 120_000);
});

const FETCH_METRICS =
  "fetch('http://127.0.0.1:8472/metrics').then((r) => r.text()).then((text) => process.stdout.write(text))";

async function until(what: string, withinMs: number, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    await pause(100);
  }
}
