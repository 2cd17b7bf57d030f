/** Joining over real TLS on loopback: what works, and every refusal with its code. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeView, TokenView } from '../../../protocol/api.ts';
import { formatJoinToken, parseJoinToken } from '../../../protocol/join-token.ts';
import { TestAgent } from '../../fake/test-agent.ts';
import { TestCore } from '../../fake/test-core.ts';

let core: TestCore;
beforeEach(async () => {
  core = await new TestCore().start();
});
afterEach(async () => core.stop());

describe('a device with a good token', () => {
  it('gets an index, a name, addresses and a certificate, and a session', async () => {
    const { token } = await core.token({ labels: { site: 'berlin' } });
    const agent = new TestAgent(core.port);
    const joined = await agent.join(token, { name: 'box-1' });
    expect(joined.refusal).toBeUndefined();
    expect(joined).toMatchObject({ name: 'box-1', index: 1 });
    const session = await agent.open();
    expect(await session.next('peerUpdate')).toMatchObject({ full: true, set: [] });
    const [node] = await core.api.get<NodeView[]>('/v1/nodes');
    expect(node).toMatchObject({
      name: 'box-1',
      tunnelAddress: '100.112.0.1',
      labels: { site: 'berlin' },
      online: true,
    });
    session.close();
  });
});
