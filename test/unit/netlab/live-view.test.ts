import { expect, it } from 'vitest';
import { renderResult, renderView, wrap } from '../../../netlab/demo/view-render.ts';
import { advance, EMPTY_VIEW, type ViewState } from '../../../netlab/demo/view-state.ts';
import { LiveView } from '../../../netlab/live-view.ts';
import type { PairView, RunProgress, ScenarioResult } from '../../../netlab/scenario/scenario-result.ts';
import { systemClock } from '../../../protocol/clock.ts';

const pair = (from: string, to: string, path: string[], directRttUs: number, rttUs: number): PairView => {
  return { from, to, path, directRttUs, rttUs, sinceMs: 0, reason: 'better_path' };
};
const change = { at: 6.2, from: 'aws', to: 'onprem', before: ['aws', 'onprem'], after: ['aws', 'azure', 'onprem'] };
const result: ScenarioResult = {
  scenario: 'detour',
  hosts: ['aws', 'onprem', 'azure'],
  driver: 'wire',
  startedAt: '2026-01-01T00:00:00.000Z',
  events: [],
  pathChanges: [],
  measurements: [],
  expectations: [
    { what: 'flow there: lost at most 0', ok: true, seen: '0' },
    { what: 'path aws > azure > onprem by 8 s', ok: false, seen: 'aws > onprem since before the start' },
  ],
  ok: false,
  reasons: [
    'expected path aws > azure > onprem by 8 s; seen: aws > onprem since before the start',
    'flow there: the sink on onprem left no report',
  ],
};
const story: RunProgress[] = [
  { kind: 'scenario', name: 'detour', description: 'A link degrades and traffic goes round.', hosts: result.hosts },
  { kind: 'building', stage: 'joining', done: 1, total: 3 },
  { kind: 'started', steeredMs: 4_500, durationMs: 48_000 },
  { kind: 'event', event: { at: 5, kind: 'degrade', what: 'degrade aws <-> onprem: delay 50 ms each way' } },
  { kind: 'pathChange', change: { ...change, reason: 'link_degraded' } },
  { kind: 'reply', from: 'aws', to: 'onprem', rttUs: 13_240 },
  {
    kind: 'paths',
    atMs: 12_000,
    converged: true,
    pairs: [
      pair('aws', 'azure', ['aws', 'azure'], 8_000, 8_000),
      pair('aws', 'onprem', ['aws', 'azure', 'onprem'], 100_000, 13_000),
    ],
  },
];
const state = story.reduce<ViewState>(advance, EMPTY_VIEW);
const plain = { colour: false };

it('at 80 columns', () => {
  expect(renderView(state, { columns: 80, rows: 24 }, plain)).toMatchInlineSnapshot(`
    [
      "Thalweg  detour",
      "A link degrades and traffic goes round.",
      "",
      "[######..................] 12 s of 48 s, settled",
      "",
      "pair             direct   steered  path       since",
      "aws -> onprem  100.0 ms   13.2 ms  via azure  6.2 s",
      "aws -> azure     8.0 ms  (8.0 ms)  direct     the start",
      "",
      "   5.0 s  degrade aws <-> onprem: delay 50 ms each way",
      "   6.2 s  aws -> onprem: now via azure (link degraded)",
    ]
  `);
});

it('at 50 columns, without since when', () => {
  const lines = renderView(state, { columns: 50, rows: 24 }, plain);
  expect(lines).toMatchInlineSnapshot(`
    [
      "Thalweg  detour",
      "A link degrades and traffic goes round.",
      "",
      "[######..................] 12 s of 48 s, settled",
      "",
      "pair             direct   steered  path",
      "aws -> onprem  100.0 ms   13.2 ms  via azure",
      "aws -> azure     8.0 ms  (8.0 ms)  direct",
      "",
      "   5.0 s  degrade aws <-> onprem: delay 50 ms eac…",
      "   6.2 s  aws -> onprem: now via azure (link degr…",
    ]
  `);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(50);
});

it('while building', () => {
  const building = story.slice(0, 2).reduce<ViewState>(advance, EMPTY_VIEW);
  expect(renderView(building, { columns: 80, rows: 24 }, plain).at(-1)).toBe(
    '[########................] joining, 1 of 3',
  );
});

it('never wider than the screen, nor longer than its pairs allow', () => {
  const pairs = Array.from({ length: 132 }, (_, i) => {
    return pair(`gcp-northamerica-northeast${i}-a`, 'azure-southafricanorth', ['a', 'b', 'c'], 9_000, 8_000);
  });
  for (const columns of [24, 40, 60, 80, 132]) {
    const lines = renderView({ ...state, pairs }, { columns, rows: 24 }, plain);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines.length).toBeLessThanOrEqual(24);
  }
});

it('the verdict names what was missed once', () => {
  expect(renderResult(result, 80, plain)).toMatchInlineSnapshot(`
    [
      "detour: NOT as expected",
      " ok  flow there: lost at most 0: 0",
      "MISS path aws > azure > onprem by 8 s: aws > onprem since before the start",
      "MISS flow there: the sink on onprem left no report",
    ]
  `);
});

it('wraps words', () => {
  expect(wrap('one two three four', 9, 2)).toEqual(['one two', 'three …']);
});

it('off a terminal: plain lines, no escape codes, each state once', () => {
  let text = '';
  const screen = {
    write: (t: string) => {
      text += t;
    },
    live: false,
    colour: false,
    size: () => ({ columns: 80, rows: 24 }),
  };
  const view = new LiveView({ screen, clock: systemClock });
  for (const progress of [...story, { kind: 'finished', result } as const]) view.note(progress);
  view.finish();
  expect(text).not.toContain('\u001b');
  expect(text).toContain('... joining 1 of 3\n');
  expect(text).toContain('   5.0 s  degrade aws <-> onprem');
  expect(text.match(/aws -> onprem: now via azure/g)).toHaveLength(1);
  expect(text).toContain('MISS path aws > azure');
});

it('on a terminal: redraws in place and leaves no timer', () => {
  let text = '';
  const screen = {
    write: (t: string) => {
      text += t;
    },
    live: true,
    colour: true,
    size: () => ({ columns: 80, rows: 24 }),
  };
  const due: (() => void)[] = [];
  const clock = {
    ...systemClock,
    after: (_: number, call: () => void) => ({ cancel: () => due.splice(0), n: due.push(call) }),
  };
  const view = new LiveView({ screen, clock });
  for (const progress of story) view.note(progress);
  expect(due).toHaveLength(1);
  due.splice(0)[0]?.();
  const first = text.split('\n').length - 1;
  view.note(story[6] as RunProgress);
  due.splice(0)[0]?.();
  expect(text).toContain(`\u001b[${first}AThalweg`.replace('Thalweg', '\u001b[1mThalweg'));
  view.finish();
  expect(due).toHaveLength(0);
});
