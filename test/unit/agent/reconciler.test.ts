import { describe, expect, it } from 'vitest';
import { type ReconcileOutcome, Reconciler } from '../../../agent/reconciler.ts';
import type { DesiredOverlay } from '../../../overlay/overlay-state.ts';
import { systemClock } from '../../../protocol/clock.ts';
import { FakeOverlay } from '../../fake/fake-overlay.ts';
import { eventually } from '../../fake/scripted-core.ts';

const desired: DesiredOverlay = {
  addresses: { tunnel: '100.112.0.1', node4: '100.96.0.1', node6: 'fd74:6861:6c77::1' },
  ranges: { tunnel: '100.112.0.0/12', node4: '100.96.0.0/12', node6: 'fd74:6861:6c77::/64' },
  listenPort: 51820,
  tunnelMtuBytes: 1420,
  transit: true,
  uplink: false,
  stampPort: 862,
  peers: [],
  routes: [{ table: 'source', prefix: '100.96.0.2/32', nextHops: [{ kind: 'direct', weight: 1 }] }],
  policy: null,
};

const setUp = (reconcileIntervalMs: number) => {
  const overlay = new FakeOverlay();
  const outcomes: ReconcileOutcome<number>[] = [];
  const reconciler = new Reconciler<number>(
    {
      overlay,
      clock: systemClock,
      wanted: () => ({ overlay: desired, tag: 1 }),
      onOutcome: (outcome) => outcomes.push(outcome),
      onWatched: () => {},
    },
    { reconcileIntervalMs, watchDebounceMs: 5 },
  );
  return { overlay, outcomes, reconciler };
};

describe('Reconciler', () => {
  it('puts back what was deleted by hand, even where nobody told, and counts it', async () => {
    const { overlay, outcomes, reconciler } = setUp(50);
    await reconciler.start();
    try {
      overlay.routes.clear();
      await eventually(() => overlay.routes.size === 1, 'route is back');
      expect(outcomes.map((o) => o.foreignRepairs).reduce((a, b) => a + b)).toBe(1);
    } finally {
      await reconciler.stop();
    }
  });

  it('does not answer its own changes, and still hears of other ones later', async () => {
    const { overlay, outcomes, reconciler } = setUp(60_000);
    await reconciler.start();
    try {
      overlay.touched();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(outcomes).toHaveLength(1);
      await reconciler.request();
      expect(outcomes).toHaveLength(2);
      await eventually(() => {
        overlay.routes.clear();
        overlay.touched();
        return outcomes.length > 2;
      }, 'apply after an event');
    } finally {
      await reconciler.stop();
    }
  });

  it('applies nothing after stop, and leaves no watcher', async () => {
    const { overlay, reconciler } = setUp(10);
    await reconciler.start();
    await reconciler.stop();
    await reconciler.stop();
    const { applies } = overlay;
    expect((await reconciler.request()).error).toBeDefined();
    overlay.touched();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(overlay.applies).toBe(applies);
    expect(overlay.watchers).toBe(0);
  });
});
